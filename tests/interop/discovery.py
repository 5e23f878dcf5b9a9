"""Google's own description of Compute Engine as a judge of what goes over the wire.

The discovery document comes with google-api-python-client, so it is as new as that is pinned, and no copy of it has to
be kept here. Its schemas are an old dialect of JSON Schema: what they mean is said again in the present one, and more
strictly. A property that Google does not know is a fault, since a client of today would overlook it and one of tomorrow
may give it a meaning.
"""

import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

import googleapiclient
import jsonschema

DOCUMENT = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents" / "compute.v1.json"

# JSON has no 64-bit numbers ("Type and format summary", Google API Discovery Service).
DIGITS = {"int64": r"^-?\d+$", "uint64": r"^\d+$"}
BOUNDS = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}

# The form of an error is in no discovery document ("Troubleshooting API errors", Compute Engine documentation).
ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string", "minLength": 1},
                "status": {"type": "string", "pattern": "^[A-Z_]+$"},
                "errors": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "properties": {
                            "message": {"type": "string"},
                            "domain": {"type": "string"},
                            "reason": {"type": "string", "pattern": "^[a-z][A-Za-z]+$"},
                            "location": {"type": "string"},
                            "locationType": {"type": "string"},
                        },
                        "required": ["message", "domain", "reason"],
                        "additionalProperties": False,
                    },
                },
                "details": {"type": "array", "items": {"type": "object", "required": ["@type"]}},
            },
            "required": ["code", "message", "errors"],
            "additionalProperties": False,
        }
    },
    "required": ["error"],
    "additionalProperties": False,
}


def plain(schema, name=None):
    """One schema of the document in the words of JSON Schema; `name` is the property's that it describes."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    if schema["type"] == "any":
        return {}
    said = {"type": schema["type"]}
    kind = schema.get("format")
    if kind in DIGITS:
        said["pattern"] = DIGITS[kind]
    elif kind in BOUNDS:
        said["minimum"], said["maximum"] = BOUNDS[kind]
    elif kind == "byte":
        said["pattern"] = r"^[A-Za-z0-9+/_-]*={0,2}$"
    if "pattern" in schema:
        said["pattern"] = f"^(?:{schema['pattern']})$"
    if "enum" in schema:
        said["enum"] = schema["enum"]
    if name == "kind" and "default" in schema:
        said["const"] = schema["default"]
    if "items" in schema:
        said["items"] = plain(schema["items"])
    if "properties" in schema:
        said["properties"] = {key: plain(value, key) for key, value in schema["properties"].items()}
        said["additionalProperties"] = False
    if "additionalProperties" in schema:
        said["additionalProperties"] = plain(schema["additionalProperties"])
    return said


class Discovery:
    """The document, ready to judge."""

    def __init__(self):
        self.document = json.loads(DOCUMENT.read_text())
        self.schemas = self.document["schemas"]
        self.definitions = {name: plain(schema) for name, schema in self.schemas.items()}
        self.methods = [
            (method["httpMethod"], re.compile(re.sub(r"\{\w+\}", "[^/]+", method["flatPath"])), method)
            for resource in self.document["resources"].values()
            for method in resource["methods"].values()
        ]

    def method(self, verb, path):
        """The method of a path below `/compute/v1/`."""
        for its_verb, its_path, method in self.methods:
            if verb == its_verb and its_path.fullmatch(path):
                return method
        raise AssertionError(f"Compute Engine has no {verb} {path}")

    @cache
    def judge(self, name):
        """A validator of one named schema."""
        return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": self.definitions})

    def answer_faults(self, exchange):
        """What is wrong with an answer."""
        if exchange.status >= 400:
            faults = list(jsonschema.Draft202012Validator(ERROR).iter_errors(exchange.answer))
            if not faults and exchange.answer["error"]["code"] != exchange.status:
                return [f"{exchange}: the code is not that of HTTP"]
        else:
            schema = self.method(exchange.verb, exchange.path)["response"]["$ref"]
            faults = self.judge(schema).iter_errors(exchange.answer)
        return [f"{exchange}: {fault.json_path}: {fault.message}" for fault in faults]

    def request_faults(self, exchange):
        """What is wrong with a request: for our own, since gcloud is older than the document."""
        method = self.method(exchange.verb, exchange.path)
        known = self.document["parameters"] | method["parameters"]
        faults = []
        for name, value in parse_qsl(exchange.query, keep_blank_values=True):
            given = known.get(name)
            if given is None:
                faults.append(f"the parameter {name} is unknown")
            elif given["type"] == "integer":
                if not int(given.get("minimum", 0)) <= int(value) <= int(given.get("maximum", 2**31)):
                    faults.append(f"{name}={value} is out of bounds")
            elif "enum" in given and value not in given["enum"]:
                faults.append(f"{name}={value} is none of {given['enum']}")
        if "request" in method:
            name = method["request"]["$ref"]
            body = json.loads(exchange.body)
            faults += [f"{fault.json_path}: {fault.message}" for fault in self.judge(name).iter_errors(body)]
            for field, schema in self.schemas[name]["properties"].items():
                if method["id"] in schema.get("annotations", {}).get("required", []) and field not in body:
                    faults.append(f"{field} is required")
                if schema.get("readOnly") and field in body:
                    faults.append(f"{field} is only for answers")
        elif exchange.body:
            faults.append("there is a body")
        return [f"{exchange}: {fault}" for fault in faults]
