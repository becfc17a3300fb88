"""The cleaner of a patient's texts as a profile wants it."""

from dataclasses import replace

from dicomanon.deidentify.text import DateTreatment, KnownValues, TextCleaner, text_cleaner
from dicomanon.profile.compiler import CompiledProfile
from dicomanon.profile.options import DEVICE_IDENTITY


def cleaner_for(known: KnownValues, profile: CompiledProfile, date_shift_days: int | None) -> TextCleaner:
    """Return the cleaner for texts of an object that says ``known`` about persons; the same one for a series.

    Parameters
    ----------
    date_shift_days
        By how much dates move under modified dates; ``None`` takes them out.
    """
    dates = DateTreatment(days=date_shift_days if profile.modifies_dates else None, keep=profile.keeps_dates)
    if profile.has(DEVICE_IDENTITY):
        # What is kept where it belongs is no secret anywhere else.
        known = replace(known, devices=frozenset())
    return text_cleaner(known, dates, profile.profile.maximum_age)
