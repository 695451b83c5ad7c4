"""One voice: an error that names its subject and says what to type next."""

from __future__ import annotations

from collections.abc import Iterable


class LuggageError(Exception):
    """Something the user can mend.

    `message` is lower case, without a full stop, and names its subject. `hint` says what to type
    next. `status` is the exit status of a command that ends with it.
    """

    def __init__(self, message: str, hint: str | None = None, *, status: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status

    def render(self) -> str:
        """The lines for stderr: the message's, each behind `error:`, and below them the hint."""
        lines = [f"error: {line}" for line in self.message.splitlines()]
        if self.hint:
            import textwrap  # noqa: PLC0415 - every start imports this module, and none needs that

            lines.append("hint: " + textwrap.indent(self.hint, " " * len("hint: ")).lstrip())
        return "\n".join(lines)


class UsageError(LuggageError):
    """The command line itself is wrong: exit status 2."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint, status=2)


def all_wrong(messages: Iterable[str]) -> str:
    """Several messages as one, so that everything wrong is told at once."""
    return "\n".join(messages)


def together(errors: Iterable[LuggageError]) -> LuggageError:
    """Several errors as one; what is wrong twice, such as the key, is told once."""
    found = list(errors)
    hints = dict.fromkeys(error.hint for error in found if error.hint)
    message = all_wrong(dict.fromkeys(error.message for error in found))
    return LuggageError(message, all_wrong(hints) or None)
