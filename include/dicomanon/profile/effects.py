"""What a rule does, in words."""

from dicomanon.profile.actions import Action, AttributeRule, TextKind

_EFFECTS = {
    Action.KEEP: "stays as it is",
    Action.KEEP_NUMBER: "stays if it is a number",
    Action.KEEP_DATE: "stays if it is a date",
    Action.KEEP_TIME: "stays if it is a time",
    Action.KEEP_UID: "stays if it is a UID",
    Action.CAP_AGE: "stays if it is an age, up to the maximum age",
    Action.SCRUB: "stays but for what is known to identify the patient",
    Action.CLEAN: "is cleaned: only harmless words stay",
    Action.CLEAN_DOCUMENT: "is made anew from its cleaned text",
    Action.RECURSE: "stays, with the profile applied to its items",
    Action.CLEAN_CONTENT: "stays, with each content item judged by its concept",
    Action.REMOVE: "is removed",
    Action.EMPTY: "is emptied",
    Action.DUMMY: "is replaced by a dummy",
    Action.UID: "is replaced by a UID of ours, the same wherever it occurs",
    Action.SHIFT_DATE: "is moved by the patient's number of days",
    Action.PSEUDONYM: "is replaced by the patient's pseudonym",
    Action.DEFACE: "stays but for the pixels that show a face",
}
_KINDS = {
    TextKind.LABEL: ", read as a label",
    TextKind.CODE: ", read as the meaning of a code",
    TextKind.DESCRIPTION: "",
    TextKind.TERM: "",
    TextKind.TECHNICAL: "",
}
_TEXT = frozenset({Action.SCRUB, Action.CLEAN})
_OF_ONE_FORM = frozenset({
    Action.KEEP_NUMBER, Action.KEEP_DATE, Action.KEEP_TIME, Action.CAP_AGE, Action.SHIFT_DATE,
})  # fmt: skip


def effect(rule: AttributeRule) -> str:
    """Return what a rule does with a value, and with one that it does not understand."""
    text = _EFFECTS[rule.action]
    if rule.action is Action.CLEAN:
        text += _KINDS[rule.text]
    if rule.action in _TEXT:
        return f"{text}; if nothing is left, it {_EFFECTS[rule.fallback]}"
    if rule.action in _OF_ONE_FORM:
        return f"{text}; anything else {_EFFECTS[rule.fallback]}"
    return text
