"""What contradicts itself in the sections on personal data is refused."""

import pytest
from pydantic import ValidationError

from finewright.schema.privacy import PersonalDataSpec


def test_a_pipeline_for_names_needs_names_to_be_looked_for() -> None:
    assert PersonalDataSpec(ner="pipe", types=("name", "email")).ner == "pipe"
    with pytest.raises(ValidationError, match="`types` does not list `name`"):
        PersonalDataSpec(ner="pipe")
