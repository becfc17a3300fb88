"""Free text: what identifies goes, what describes stays (PS3.15 E.3.5)."""

from dicomanon.deidentify.text.cleaner import TextCleaner, text_cleaner
from dicomanon.deidentify.text.known_values import KnownValues
from dicomanon.deidentify.text.written_dates import DateTreatment

__all__ = ["DateTreatment", "KnownValues", "TextCleaner", "text_cleaner"]
