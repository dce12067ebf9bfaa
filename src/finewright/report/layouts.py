"""Which function says what a report shows: one table, by names, so that a command loads its own alone."""

from pydantic import BaseModel

from finewright.feature import features
from finewright.plugins import load
from finewright.report.blocks import Page, Section, Text

# Those of a feature are in its own table.
LAYOUTS = {
    "finewright.catalog.sets:DataSets": "finewright.report.of_sets:list_page",
    "finewright.schema.bench:BenchReport": "finewright.report.of_machine:bench_page",
    "finewright.schema.catalog_report:CatalogCheck": "finewright.report.of_catalog:check_page",
    "finewright.schema.catalog_report:CatalogImport": "finewright.report.of_catalog:import_page",
    "finewright.schema.catalog_report:CatalogList": "finewright.report.of_catalog:list_page",
    "finewright.schema.catalog_report:CatalogRefresh": "finewright.report.of_catalog:refresh_page",
    "finewright.schema.cost:CostReport": "finewright.report.of_cost:cost_page",
    "finewright.schema.data_check:DataCheckReport": "finewright.report.of_data:check_page",
    "finewright.schema.data_check:FixReport": "finewright.report.of_data:fix_page",
    "finewright.schema.data_documents:DocumentsReport": "finewright.report.of_data:documents_page",
    "finewright.schema.data_documents:ExamplesReport": "finewright.report.of_data:examples_page",
    "finewright.schema.decide_report:DecideReport": "finewright.report.of_decide:decide_page",
    "finewright.schema.duplicates:DuplicatesReport": "finewright.report.of_checks:duplicates_page",
    "finewright.schema.evaluate:EvaluateReport": "finewright.report.of_evaluate:evaluate_page",
    "finewright.schema.formats:DataShowReport": "finewright.report.of_data:show_page",
    "finewright.schema.measure_report:MeasureReport": "finewright.report.of_measure:measure_page",
    "finewright.schema.migrate:MigrateReport": "finewright.report.of_migrate:migrate_page",
    "finewright.schema.plan:CheckReport": "finewright.report.of_plan:check_page",
    "finewright.schema.plan:PlanReport": "finewright.report.of_plan:plan_page",
    "finewright.schema.poison:PoisonReport": "finewright.report.of_checks:poison_page",
    "finewright.schema.predict:PredictReport": "finewright.report.of_predict:predict_page",
    "finewright.schema.privacy:PrivacyReport": "finewright.report.of_checks:privacy_page",
    "finewright.schema.provenance:DataCard": "finewright.report.of_provenance:card_page",
    "finewright.schema.provenance:DataPageReport": "finewright.report.of_provenance:data_page_page",
    "finewright.schema.provenance:TraceReport": "finewright.report.of_provenance:trace_page",
    "finewright.schema.provenance:WithoutReport": "finewright.report.of_provenance:without_page",
    "finewright.schema.raft:RaftReport": "finewright.report.of_data:raft_page",
    "finewright.schema.rag_answers:RagEvaluation": "finewright.report.of_rag:evaluation_page",
    "finewright.schema.rag_index:AskReport": "finewright.report.of_rag:ask_page",
    "finewright.schema.rag_index:IndexReport": "finewright.report.of_rag:index_page",
    "finewright.schema.rag_index:SearchReport": "finewright.report.of_rag:search_page",
    "finewright.schema.rag_report:RagEvaluateReport": "finewright.report.of_rag:evaluate_page",
    "finewright.schema.rag_report:RagTuneReport": "finewright.report.of_rag:tuning_page",
    "finewright.schema.report:DoctorReport": "finewright.report.of_machine:doctor_page",
    "finewright.schema.report:QuickstartReport": "finewright.report.of_runs:quickstart_page",
    "finewright.schema.report:RunList": "finewright.report.of_runs:runs_page",
    "finewright.schema.report:RunReport": "finewright.report.of_runs:run_page",
    "finewright.schema.report:SelfCheckReport": "finewright.report.of_machine:selfcheck_page",
    "finewright.schema.report:VerifyReport": "finewright.report.of_runs:verify_page",
    "finewright.schema.scale:PrepareReport": "finewright.report.of_checks:prepare_page",
    "finewright.schema.sets:SetReport": "finewright.report.of_sets:set_page",
}
"""`module:Report` -> `module:function` that gives its page."""


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
