"""Which function says what a report shows: one table, by names, so that a command loads its own alone."""

from pydantic import BaseModel

from finewright.feature import features
from finewright.plugins import load
from finewright.report.blocks import Page, Section, Text

LAYOUTS = {
    "finewright.schema.bench:BenchReport": "finewright.report.of_machine:bench_page",
    "finewright.schema.catalog_report:CatalogCheck": "finewright.report.of_catalog:check_page",
    "finewright.schema.catalog_report:CatalogImport": "finewright.report.of_catalog:import_page",
    "finewright.schema.catalog_report:CatalogList": "finewright.report.of_catalog:list_page",
    "finewright.schema.catalog_report:CatalogRefresh": "finewright.report.of_catalog:refresh_page",
    "finewright.schema.evaluate:EvaluateReport": "finewright.report.of_evaluate:evaluate_page",
    "finewright.schema.plan:CheckReport": "finewright.report.of_plan:check_page",
    "finewright.schema.plan:PlanReport": "finewright.report.of_plan:plan_page",
    "finewright.schema.predict:PredictReport": "finewright.report.of_evaluate:predict_page",
    "finewright.schema.provenance:DataCard": "finewright.report.of_provenance:card_page",
    "finewright.schema.report:DoctorReport": "finewright.report.of_machine:doctor_page",
    "finewright.schema.report:LineageReport": "finewright.report.of_lineage:lineage_page",
    "finewright.schema.report:QuickstartReport": "finewright.report.of_runs:quickstart_page",
    "finewright.schema.report:RunList": "finewright.report.of_runs:runs_page",
    "finewright.schema.report:RunReport": "finewright.report.of_runs:run_page",
    "finewright.schema.report:SelfCheckReport": "finewright.report.of_machine:selfcheck_page",
    "finewright.schema.report:TrustReport": "finewright.report.of_runs:trust_page",
    "finewright.schema.report:VerifyReport": "finewright.report.of_runs:verify_page",
}
"""`module:Report` -> `module:function` that gives its page, of the core; a feature has its own table."""


def page_of(report: BaseModel) -> Page:
    """What a report shows; one that nobody described shows its fields."""
    layouts = [LAYOUTS, *(feature.reports for feature in features().values())]
    name = f"{type(report).__module__}:{type(report).__name__}"
    layout = next((table[name] for table in layouts if name in table), None)
    if layout is None:
        fields = Text(report.model_dump_json(indent=2), "code")
        return Page("a report", "", sections=[Section("", [fields])])
    page: Page = load(layout)(report)
    return page
