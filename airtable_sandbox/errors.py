"""Airtable's error answers: one exception that carries status and body, and one function for each answer.

Where Airtable's text or status is a guess, the function's docstring says so. docs/sandbox.md lists them together.
"""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A request refused the way Airtable refuses it. Nothing was applied; `status` and `body` are the whole answer."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def _typed(status: int, kind: str, message: str | None = None) -> ApiError:
    error = {"type": kind} if message is None else {"type": kind, "message": message}
    return ApiError(status, {"error": error})


def _listed(status: int, kind: str, message: str) -> ApiError:
    """The shape of the limits' answers: `errors`, a list, not `error`."""
    return ApiError(status, {"errors": [{"error": kind, "message": message}]})


def unauthenticated() -> ApiError:
    """401. That a wrong token gives the same answer as none is a guess."""
    return _typed(401, "AUTHENTICATION_REQUIRED", "Authentication required")


def no_such_model() -> ApiError:
    """403 for a base, table, field or record that is not there: Airtable does not tell absent from forbidden."""
    return _typed(
        403,
        "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND",
        "Invalid permissions, or the requested model was not found. Check that both your user and your token have the "
        "required permissions, and that the model names and/or ids are correct.",
    )


def not_found() -> ApiError:
    """404 for a path that is no endpoint."""
    return ApiError(404, {"error": "NOT_FOUND"})


def rate_limited() -> ApiError:
    """429 of a base or token over its rate, and of everything in the lockout after it."""
    return _listed(429, "RATE_LIMIT_REACHED", "Rate limit exceeded. Please try again later")


def month_spent() -> ApiError:
    """429 of a workspace whose month of calls is used up. The text is a guess."""
    return _listed(429, "PUBLIC_API_BILLING_LIMIT_EXCEEDED", "The monthly API call limit of this workspace has been exceeded")


def too_large() -> ApiError:
    """413. Status known from other services of this kind; Airtable's size and text are a guess."""
    return _typed(413, "REQUEST_TOO_LARGE", "Request body is too large")


def url_too_long() -> ApiError:
    """414 of an URL of 16,000 characters or more. The limit is documented, the status is a guess."""
    return _typed(414, "URI_TOO_LONG", "The URL is too long: use POST listRecords")


def bad_body() -> ApiError:
    """A body that is no JSON object."""
    return _typed(422, "INVALID_REQUEST_BODY", "Could not parse request body")


def invalid_request(message: str = "Invalid request: parameter validation failed. Check your request data.") -> ApiError:
    return _typed(422, "INVALID_REQUEST_UNKNOWN", message)


def unknown_field(name: str) -> ApiError:
    return _typed(422, "UNKNOWN_FIELD_NAME", f'Unknown field name: "{name}"')


def missing_body_field(name: str) -> ApiError:
    return _typed(422, "INVALID_REQUEST_MISSING_FIELDS", f'Could not find field "{name}" in the request body')


def invalid_records(message: str) -> ApiError:
    """`records` is not the array it should be, or holds more than 10. The text for create is a guess."""
    return _typed(422, "INVALID_RECORDS", message)


def value_not_accepted(field_name: str) -> ApiError:
    return _typed(422, "INVALID_VALUE_FOR_COLUMN", f'Field "{field_name}" cannot accept the provided value')


def field_is_computed(field_name: str) -> ApiError:
    return _typed(422, "INVALID_VALUE_FOR_COLUMN", f'Field "{field_name}" cannot accept a value because the field is computed')


def value_not_parsed(field_name: str, value: str) -> ApiError:
    return _typed(422, "INVALID_VALUE_FOR_COLUMN", f'Cannot parse value "{value}" for field {field_name}')


def not_record_ids() -> ApiError:
    return _typed(422, "INVALID_VALUE_FOR_COLUMN", "Value is not an array of record IDs.")


def no_such_option(option: str) -> ApiError:
    """A select option that does not exist, sent without typecast. Recordings differ on how often it is quoted."""
    return _typed(422, "INVALID_MULTIPLE_CHOICE_OPTIONS", f'Insufficient permissions to create new select option ""{option}""')


def no_such_record(record_id: str) -> ApiError:
    """A record ID of a batch that is not in the table."""
    return _typed(422, "ROW_DOES_NOT_EXIST", f"Record ID {record_id} does not exist in this table")


def no_such_linked_record(record_id: str) -> ApiError:
    return _typed(422, "ROW_DOES_NOT_EXIST", f"Record ID {record_id} does not exist")


def record_of_other_table(record_id: str, its_table: str, linked_table: str) -> ApiError:
    message = f"Record ID {record_id} belongs to table {its_table}, but the field links to table {linked_table}"
    return _typed(422, "ROW_TABLE_DOES_NOT_MATCH_LINKED_TABLE", message)


def ambiguous_upsert(record_ids: list[str]) -> ApiError:
    """Several rows have the key. The type is a guess; the first six words are known."""
    return _typed(422, "INVALID_RECORDS", f"Cannot update more than one record: {', '.join(record_ids)} match the fields to merge on")


def bad_filter(reason: str) -> ApiError:
    return _typed(422, "INVALID_FILTER_BY_FORMULA", f"The formula for filtering records is invalid: {reason}")


def iterator_gone() -> ApiError:
    """The list that this offset belongs to is gone: start again."""
    return _typed(422, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE")


def bad_offset(offset: str) -> ApiError:
    """An offset that was never one. The text is a guess."""
    return _typed(422, "INVALID_OFFSET_VALUE", f"The value of offset {offset} is invalid")


def no_such_view(view: str) -> ApiError:
    """The text is a guess."""
    return _typed(422, "VIEW_NAME_NOT_FOUND", f"View {view} not found")


def unsupported_field_type(field_type: str) -> ApiError:
    return _typed(422, "UNSUPPORTED_FIELD_TYPE_FOR_CREATE", f"Creating {field_type} fields is not supported at this time")


def bad_field_options(reason: str) -> ApiError:
    """The type is known, the text is a guess."""
    return _typed(422, "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE", f"Invalid options: {reason}")


def duplicate_field(name: str) -> ApiError:
    """The type is known, the text is a guess."""
    return _typed(422, "DUPLICATE_OR_EMPTY_FIELD_NAME", f'Another field is named "{name}", or the name is empty')


def duplicate_table(name: str) -> ApiError:
    """The type is known, the text is a guess."""
    return _typed(422, "DUPLICATE_TABLE_NAME", f'Another table is named "{name}"')
