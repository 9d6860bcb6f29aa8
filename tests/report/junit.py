"""Reads a JUnit report with junitparser: each case's status, class, name and texts."""
import json
import sys
from junitparser import Failure, JUnitXml, TestSuite

report = JUnitXml.fromstring(sys.stdin.buffer.read())
found = []
for suite in report:
    assert isinstance(suite, TestSuite) and suite.name == "dotage"
    for case in suite:
        results = [(type(result).__name__, result.message, result.text) for result in case.result]
        found.append({"classname": case.classname, "name": case.name, "results": results, "output": case.system_out})
print(json.dumps({"tests": report.tests, "failures": report.failures, "errors": report.errors, "cases": found}))
