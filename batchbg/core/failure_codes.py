"""The service's codes for why a render failed, as far as they say what to do about it."""

from typing import Final

NO_CREDITS: Final = "insufficient_credits"
"""The account's credits ran out while the job waited. Source: the service's docs, event types and development."""

LOST_UPLOAD: Final = "invalid_image_path"
"""What was uploaded is no longer there. Source: the service's changelog of March 2025."""

AGAIN: Final = " again"


def code_after(before: str, code: str) -> str:
    """Return the code that a job keeps: a lost upload is repaired once.

    Args:
        before: of the job's last render that failed, "" where there was none.
        code: of this one.
    """
    return code + AGAIN if code == LOST_UPLOAD and before.removesuffix(AGAIN) == code else code


def is_planned_again(code: str) -> bool:
    """Return whether a failed job is planned again by itself once its refund is seen."""
    return code in (NO_CREDITS, LOST_UPLOAD)
