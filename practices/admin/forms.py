"""What every form of the admin does: it notices other people's edits, and says what a service refused."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError

from config.api.problem import Problem, model_errors, problem_for

REFUSALS = (Problem, ValidationError, IntegrityError, DataError)
"""What services and the database raise about the values of a form."""


class RefusableMixin(forms.BaseForm):
    """Shows a refusal that came after validation, while saving, like an error of the form's own."""

    refusal: ClassVar[BaseException | None] = None

    def clean(self) -> Any:
        cleaned = super().clean()
        if self.refusal is not None and not self.errors:
            self.add_refusal(self.refusal)
        return cleaned

    def add_refusal(self, refusal: BaseException) -> None:
        problem = problem_for(refusal) or Problem()
        for error in problem.errors:
            name = error.pointer.strip("/").partition("/")[0]
            self.add_error(name if name in self.fields else None, ValidationError(error.detail, code=error.code))
        if not problem.errors:
            self.add_error(None, ValidationError(self.explain(problem), code=problem.code))

    def explain(self, problem: Problem) -> list[Any]:
        """What people are told of a problem that is about no single field."""
        return [str(problem.detail)]


class TenantForm(RefusableMixin, forms.ModelForm):  # type: ignore[type-arg]  # for any model
    """`seen_version` is the row's version when the form was shown; somebody else's save since then is told first."""

    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_versioned = not self.instance._state.adding and hasattr(self.instance, "version")
        if self.is_versioned:
            self.initial["seen_version"] = self.instance.version

    def clean(self) -> Any:
        cleaned = super().clean()
        if self.is_versioned and self.cleaned_data.get("seen_version") != self.instance.version:
            self._tell_of_other_edit()
        return cleaned

    def changes(self) -> dict[str, Any]:
        """The model's fields that the form changed, for a service."""
        return {
            name: self.cleaned_data[name]
            for name in self.changed_data
            if name != "seen_version" and name in self.cleaned_data
        }

    def answers(self) -> dict[str, Any]:
        """Everything the form asked for, for a service."""
        return {name: value for name, value in self.cleaned_data.items() if name != "seen_version"}

    def _tell_of_other_edit(self) -> None:
        """Once: the next save is of what they were told. Every field that differs names what is stored now."""
        text = (
            "Somebody else saved this while you had it open, so nothing was saved yet. Save again to keep your entries."
        )
        for name in self.changes():
            stored = self.fields[name].prepare_value(self.get_initial_for_field(self.fields[name], name))
            choices = dict(getattr(self.fields[name], "choices", None) or ())
            self.add_error(name, ValidationError(f"Stored now: {choices.get(stored, stored) or 'nothing'}"))
        self.add_error(None, ValidationError(text, code="concurrent_edit"))
        self.data = with_value(self.data, self.add_prefix("seen_version"), str(self.instance.version))

    def _update_errors(self, errors: ValidationError) -> None:
        """Django's hook for what the model's validation found; in words that name no constraint."""
        for name, details in dict(model_errors(errors)).items():
            for detail in details:
                error = ValidationError(str(detail), code=getattr(detail, "code", None))
                self.add_error(name if name in self.fields else None, error)


def with_value(data: Any, name: str, value: str) -> Any:
    """A copy of what was posted, with another value."""
    changed = data.copy()
    changed[name] = value
    return changed
