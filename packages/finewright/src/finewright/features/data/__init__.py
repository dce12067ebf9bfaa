"""The commands on data: show, check, report, prepare, trace and what they look for."""
