"""What schemathesis leaves out of its calls."""

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    """Line ends: MiniStack finds no route for an address with one, where API Gateway does."""
    values = [str(value) for value in (case.path_parameters or {}).values()]
    return not any(end in value for value in values for end in ("\n", "%0A", "%0a"))
