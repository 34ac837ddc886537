"""Starts the emulator with gates: a call that a test waits for is done, and its
answer held back until the test lets it go. So a function is killed at the very
moment that is meant, between what was done and its knowing.

A gate is a file in gates/, <name>.json: {"call": "TransactWriteItems", "holds":
"a text in the call's body", "after": 3}. It lets that many such calls pass and
stops the next, and is then called <name>.held; whoever removes that opens it.
What stands in gates/silent as an address gets its mails, and SES tells nothing
of them.
"""

import asyncio
import json
import os

import emulator
from ministack.services import dynamodb, eventbridge, ses_v2

GATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gates")
passed = {}


def stops(name, call, body):
    with open(os.path.join(GATES, name)) as file:
        gate = json.load(file)
    if gate["call"] != call or gate["holds"].encode() not in body:
        return False
    passed[name] = passed.get(name, 0) + 1
    return passed[name] == gate["after"] + 1


async def hold(original, method, path, headers, body, query):
    answer = await original(method, path, headers, body, query)
    call = (headers.get("x-amz-target") or path.rstrip("/")).replace("/", ".").rpartition(".")[2]
    for name in os.listdir(GATES):
        if name.endswith(".json") and stops(name, call, body):
            held = os.path.join(GATES, name.removesuffix(".json") + ".held")
            os.rename(os.path.join(GATES, name), held)
            while os.path.exists(held):
                await asyncio.sleep(0.02)
    return answer


def tell(original, event):
    silent = os.path.join(GATES, "silent")
    if event.get("Source") == "aws.ses" and os.path.exists(silent):
        with open(silent) as file:
            if file.read() in event["Detail"]:
                return None
    return original(event)


for service in (dynamodb, ses_v2):
    emulator.replace(service, "handle_request", hold)
emulator.replace(eventbridge, "_dispatch_event", tell)

if __name__ == "__main__":
    emulator.app.main()
