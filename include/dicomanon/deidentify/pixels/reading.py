"""Finds lines of text in an 8-bit picture and reads them, with RapidOCR and the models that its wheel brings."""

import os
import threading
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.pixels.views import View
from dicomanon.errors import Fatal
from dicomanon.values import MASK

_MOST_OF_SIDE = 0.8
_MODELS = ("PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx", "ch_ppocr_mobile_v2.0_cls_mobile.onnx")
_PARAMETERS: dict[str, Any] = {
    "Global.log_level": "critical",  # What it reads is nobody's business.
    "Global.text_score": 0.0,  # What is read badly is text too.
    "Global.use_preprocess_img": False,
    "Global.use_vertical_padding": False,
    "Det.limit_type": "max",
    "Det.limit_side_len": 1 << 16,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text in a picture. The text is PHI and does not print.

    Attributes
    ----------
    box
        Where, in pixels of the frame.
    text, score
        What is read, and how sure the reader is of it, from 0 to 1.
    scale
        Of the picture, in its pixels per pixel of the frame: the box is as exact as that.
    """

    box: Box
    text: str = field(repr=False)
    score: float
    scale: float = 1.0

    def __str__(self) -> str:
        return f"Line({self.box}, {MASK})"


class TextReader:
    """Reads pictures; one for all threads of a process, each call on one core."""

    def __init__(self) -> None:
        # Its runtime reports to its maker over the network, and keeps an identifier at home, unless it is told before.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import rapidocr  # it and its runtime take a second to import: only those who read pay

        models = Path(rapidocr.__file__).parent / "models"
        if missing := [name for name in _MODELS if not (models / name).is_file()]:
            # It would try to fetch them.
            raise Fatal(f"install the package rapidocr anew: it lacks {', '.join(missing)}")
        # Steps work on several objects at once: threads for parts of one would only get in their way.
        cv2.setNumThreads(1)
        self._engine = rapidocr.RapidOCR(params=_PARAMETERS)
        # Models are loaded at the first call, under locks of its own.
        self._engine.run_ocr_steps(np.zeros((32, 32, 3), np.uint8), {})

    def read(self, view: View) -> list[Line]:
        """Return the lines of text in a picture, in pixels of its frame."""
        rows, columns = view.pixels.shape
        # The steps alone, for the whole call drops what is detected and cannot be read.
        found, _, read, _ = self._engine.run_ocr_steps(cv2.cvtColor(view.pixels, cv2.COLOR_GRAY2BGR), {})
        if found.boxes is None:
            return []
        texts, scores = read.txts or ("",) * len(found.boxes), read.scores or (0.0,) * len(found.boxes)
        lines = []
        for corners, text, score in zip(found.boxes, texts, scores, strict=True):
            left, top = np.floor(corners.min(axis=0))
            right, bottom = np.ceil(corners.max(axis=0))
            box = Box(int(left), int(top), int(right), int(bottom)).clipped(rows, columns)
            if box is not None and not _is_no_line(box, rows, columns):
                lines.append(Line(view.in_frame(box), text.strip(), float(score), view.scale))
        return lines


def _is_no_line(box: Box, rows: int, columns: int) -> bool:
    """Tell what the detector makes of a picture without text: all of it."""
    return box.width > _MOST_OF_SIDE * columns and box.height > _MOST_OF_SIDE * rows


_LOCK = threading.Lock()


@cache
def _shared_reader() -> TextReader:
    return TextReader()


def text_reader() -> TextReader:
    """Return this process's reader, made at the first call."""
    with _LOCK:
        return _shared_reader()
