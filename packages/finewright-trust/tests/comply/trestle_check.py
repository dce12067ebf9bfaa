"""Run by a Python that has compliance-trestle: ends with 0 where it accepts the OSCAL file."""

import sys
from pathlib import Path

from trestle.oscal.assessment_results import AssessmentResults  # type: ignore[import-not-found]

sys.stdout.write(str(len(AssessmentResults.oscal_read(Path(sys.argv[1])).results[0].observations)))
