"""Starts MiniStack 1.5.33 with the patches that make it answer as AWS does.

Each patch is one function, named for what it mends, with its reason. Where the
emulator no longer has what a patch takes hold of, the start fails and says so:
a patch must never be lost silently with a new version of the emulator. What
still differs from AWS stands in the README, under "one machine".
"""

import contextvars
import copy
import datetime
import email.utils
import functools
import json
import os
import re
import socketserver
import time

from hypercorn.config import Config as HypercornConfig
from ministack import app
from ministack.core import concurrency, iam_actions, iam_evaluator, responses
from ministack.services import apigateway, dynamodb_streams, eventbridge, lambda_svc, s3, ses, ses_v2, sts, tagging


def answer_without_nagle():
    """The runtime API writes headers and body in two segments, so each warm call
    waited 43 ms for the acknowledgement of the first: 50 ms a call become 7."""
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def listen_on_the_named_port_only():
    """With TLS it takes port 443 as well when it may, which nobody asked for."""
    replace(app, "_port_is_bindable", lambda original, host, port: False)


def check_the_signature_of_the_root():
    """The configured key, "test" and every number of twelve digits passed for the
    account's root, whatever the signature. Now there is one root, and its
    signature is checked like everybody's."""
    root = os.environ["AWS_ACCESS_KEY_ID"]

    def identity(original, key):
        if key != root:
            return original(key)
        account = responses.get_account_id()
        return {"accessKey": key, "accountId": account, "userArn": f"arn:aws:iam::{account}:root", "userId": account,
                "principalOrgId": None, "session": None}

    for module in (iam_evaluator, sts):
        replace(module, "is_root_access_key", lambda original, key: not key or key == root)
    replace(iam_evaluator, "_is_root_key", lambda original, key: not key)
    replace(iam_evaluator, "resolve_caller_identity", identity)


def refuse_what_is_not_signed_on_iam_routes():
    """A route with AWS_IAM let through whatever carried another kind of
    Authorization header; an HTTP API answers 403, and says no more to a wrong
    signature or a missing right."""

    def enforce(original, api, stage, method, path, headers, query, **kwargs):
        refused = original(api, stage, method, path, headers, query, **kwargs)
        if apigateway.route_authorization_type(api, stage, method, path) != "AWS_IAM":
            return refused
        if refused or not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256"):
            return 403, {"Content-Type": "application/json"}, b'{"message":"Forbidden"}'
        return None

    replace(app, "_enforce_execute_api", enforce)


def authorize_partiql_by_statement():
    """A PartiQL call needed a right to the call itself, which IAM does not know;
    AWS checks each statement as dynamodb:PartiQLInsert, PartiQLSelect and so on,
    on its table."""
    name = re.compile(r'\b(?:INTO|FROM|UPDATE)\s+"?([\w.-]+)"?(?:\."?([\w.-]+)"?)?', re.IGNORECASE)

    def checks(original, action, body, region, account):
        if action not in ("dynamodb:ExecuteStatement", "dynamodb:BatchExecuteStatement"):
            return original(action, body, region, account)
        request = json.loads(body or b"{}")
        found = []
        for statement in request.get("Statements") or [request]:
            text = statement.get("Statement", "").lstrip()
            verb, named = text.split(None, 1)[0].capitalize() if text else "", name.search(text)
            if verb not in ("Insert", "Select", "Update", "Delete") or named is None:
                return original(action, body, region, account)
            arn = f"arn:aws:dynamodb:{region}:{account}:table/{named[1]}" + (f"/index/{named[2]}" if named[2] else "")
            found.append((f"dynamodb:PartiQL{verb}", arn))
        return list(dict.fromkeys(found))

    replace(iam_actions, "dynamodb_transaction_checks", checks)


def know_which_items_are_meant():
    """A policy's condition on dynamodb:LeadingKeys saw no keys, and one with
    ForAllValues holds where there are none: rights to some items were rights to
    all. AWS tells the partition keys of the items that an action is about. The same
    goes for dynamodb:Attributes of an update: AWS tells those that it names."""
    request = contextvars.ContextVar("request", default={})
    equals = re.compile(r"^\s*\(?\s*(#?[\w.]+)\s*=\s*(:\w+)")

    def read(original, body):
        try:
            request.set(json.loads(body or b"{}"))
        except ValueError:
            request.set({})
        return original(body)

    def of_query(asked):
        found = equals.match(asked.get("KeyConditionExpression", ""))
        if found is None:
            return []
        name = asked.get("ExpressionAttributeNames", {}).get(found[1], found[1])
        return [{name: asked.get("ExpressionAttributeValues", {}).get(found[2], {})}]

    words = re.compile(r"(?<![:#\w.])#?[A-Za-z_]\w*(?!\w*\s*\()")
    verbs = {"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN"}

    def attributes(asked, table):
        """The attributes that the updates of a call name."""
        updates = [part["Update"] for part in asked.get("TransactItems") or [] if "Update" in part]
        if asked.get("UpdateExpression"):
            updates.append(asked)
        found = []
        for update in updates:
            if update.get("TableName") != table:
                continue
            names = update.get("ExpressionAttributeNames") or {}
            found += update.get("Key") or {}
            for part in ("UpdateExpression", "ConditionExpression"):
                found += [names.get(word, word) for word in words.findall(update.get(part) or "") if word.upper() not in verbs]
        return list(dict.fromkeys(found))

    def items(asked, action, table):
        members = iam_actions._DYNAMODB_TRANSACT_ITEM_ACTIONS
        for part in asked.get("TransactItems") or []:
            for member, detail in part.items():
                if members.get(member) == action and detail.get("TableName") == table:
                    yield detail.get("Key") or detail.get("Item") or {}
        batch = (asked.get("RequestItems") or {}).get(table) or {}
        if isinstance(batch, list):  # of writes
            batch = {"Keys": [item for write in batch for part in write.values() for item in part.values()]}
        yield from batch.get("Keys", [])
        if "TransactItems" not in asked and asked.get("TableName") == table and not asked.get("IndexName"):
            yield from [asked[part] for part in ("Key", "Item") if part in asked] or of_query(asked)

    def enforce(original, access_key, action, service, region, **kwargs):
        if service == "dynamodb":
            table = kwargs.get("resource_arn", "").rpartition("table/")[2]
            keys = [item["pk"]["S"] for item in items(request.get(), action, table) if "S" in item.get("pk", {})]
            if keys:
                said = {"dynamodb:LeadingKeys": keys}
                if action == "dynamodb:UpdateItem":
                    said["dynamodb:Attributes"] = attributes(request.get(), table)
                kwargs["service_context"] = {**(kwargs.get("service_context") or {}), **said}
        return original(access_key, action, service, region, **kwargs)

    replace(iam_actions, "dynamodb_service_context", read)
    replace(iam_evaluator, "enforce", enforce)


def know_what_a_secret_is_bound_to():
    """A policy's conditions on kms:EncryptionContextKeys and kms:EncryptionContext:<name>
    saw nothing. AWS tells the names in the call's encryption context and the value of
    each, and no key for a call without one."""
    context = contextvars.ContextVar("context", default={})

    def arn(original, service, method, path, headers, body, *rest):
        if service == "kms":
            try:
                context.set(json.loads(body or b"{}").get("EncryptionContext") or {})
            except ValueError:
                context.set({})
        return original(service, method, path, headers, body, *rest)

    def enforce(original, access_key, action, service, region, **kwargs):
        if service == "kms" and context.get():
            said = {"kms:EncryptionContext:" + name: value for name, value in context.get().items()}
            said["kms:EncryptionContextKeys"] = list(context.get())
            kwargs["service_context"] = {**(kwargs.get("service_context") or {}), **said}
        return original(access_key, action, service, region, **kwargs)

    replace(iam_actions, "extract_resource_arn", arn)
    replace(iam_evaluator, "enforce", enforce)


def name_streams_and_logs_as_policies_do():
    """A call about a table's stream was asked for the resource "*", one about a log
    group for a name without the ":*" or the log stream that AWS ends it with: a
    role with just the right to it was denied."""

    def arn(original, service, method, path, headers, body, query, region, account):
        found = original(service, method, path, headers, body, query, region, account)
        if service not in ("dynamodbstreams", "logs"):
            return found
        request = json.loads(body or b"{}")
        if service == "dynamodbstreams":
            of = dynamodb_streams._decode_iterator(request.get("ShardIterator", "")) or {}
            return (request.get("StreamArn") or of.get("arn")
                    or f"arn:aws:dynamodb:{region}:{account}:table/{request.get('TableName', '*')}/stream/*")
        if ":log-group:" in found and not found.endswith(":*"):
            found += f":log-stream:{request['logStreamName']}" if request.get("logStreamName") else ":*"
        return found

    replace(iam_actions, "extract_resource_arn", arn)


def authorize_mails_by_sender():
    """Whether a function may send was asked for the resource "*" and without saying
    who the mail is from. AWS asks for the sender's identity and for the
    configuration set, with ses:FromAddress for conditions. Of a mail that is MIME
    it asks for SendRawEmail; that it may for one with attachments, too, is assumed."""

    def enforce(original, method, path, headers, body, query, request_id):
        if not app.AUTH or method != "POST" or path.rstrip("/") != "/v2/email/outbound-emails":
            return original(method, path, headers, body, query, request_id)
        request = json.loads(body or b"{}")
        address = email.utils.parseaddr(request.get("FromEmailAddress", ""))[1]
        identity = address if ses_v2._identities.get(address) else address.rpartition("@")[2]
        attached = request.get("Content", {}).get("Simple", {}).get("Attachments")
        action = "ses:SendRawEmail" if attached else "ses:SendEmail"
        resources = ["identity/" + identity]
        if request.get("ConfigurationSetName"):
            resources.append("configuration-set/" + request["ConfigurationSetName"])
        for resource in resources:
            arn = f"arn:aws:ses:{app.extract_region(headers, query)}:{responses.get_account_id()}:{resource}"
            refused = app._enforce_data_plane("sesv2", action, headers, query, request_id, resource_arn=arn,
                                              service_context={"ses:FromAddress": address}, named_resource=arn)
            if refused:
                return refused
        return None

    replace(app, "_enforce_ses_v2", enforce)


def know_whose_an_identity_is():
    """A policy's conditions on an identity's tags, and on those of a call that makes
    one, saw nothing: aws:ResourceTag and aws:RequestTag. A call that made an identity
    asked for the resource "*", where AWS asks for that of the identity."""
    tagging._RESOURCE_TAG_COLLECTORS["ses"] = lambda: iter(ses_v2._ses_tags.items())

    def enforce(original, method, path, headers, body, query, request_id):
        sub = path.rstrip("/").removeprefix("/v2/email")
        made = re.fullmatch(r"/identities(?:/([^/]+)(/mail-from)?)?", sub)
        actions = {("POST", False): "CreateEmailIdentity", ("GET", False): "GetEmailIdentity", ("DELETE", False): "DeleteEmailIdentity",
                   ("PUT", True): "PutEmailIdentityMailFromAttributes"}
        action = actions.get((method, bool(made and made[2])))
        request = json.loads(body or b"{}") if made else {}
        identity = made and (made[1] or request.get("EmailIdentity"))
        if not app.AUTH or not action or not identity:
            return original(method, path, headers, body, query, request_id)
        arn = f"arn:aws:ses:{app.extract_region(headers, query)}:{responses.get_account_id()}:identity/{identity}"
        tags = {"aws:RequestTag/" + tag["Key"]: tag["Value"] for tag in request.get("Tags") or []}
        return app._enforce_data_plane("sesv2", "ses:" + action, headers, query, request_id, resource_arn=arn,
                                       service_context=tags, named_resource=arn)

    replace(app, "_enforce_ses_v2", enforce)


def verify_a_domain_by_its_name():
    """A domain was verified as soon as it was made, its MAIL FROM could not be set, and
    to make it again made it anew. There is no DNS here: now a domain whose name holds
    "pending" stays so, and any other is found to have its records."""

    async def handle(original, method, path, headers, body, query):
        sub = path.rstrip("/").removeprefix("/v2/email")
        if method == "POST" and sub == "/identities" and json.loads(body).get("EmailIdentity") in ses_v2._identities:
            return ses_v2._json_err("AlreadyExistsException", "it exists already")
        named = re.fullmatch(r"/identities/([^/]+)/mail-from", sub)
        if method == "PUT" and named:
            there = ses_v2._identities.get(named[1])
            if there is None:
                return ses_v2._json_err("NotFoundException", f"Identity {named[1]} not found", 404)
            found = "PENDING" if "pending" in named[1] else "SUCCESS"
            request = json.loads(body)
            there["MailFromAttributes"] = {"MailFromDomain": request.get("MailFromDomain", ""), "MailFromDomainStatus": found,
                                           "BehaviorOnMxFailure": request.get("BehaviorOnMxFailure", "USE_DEFAULT_VALUE")}
            there["DkimAttributes"].update(Status=found, SigningEnabled=True)
            there["VerifiedForSendingStatus"] = found == "SUCCESS"
            return responses.json_response({})
        return await original(method, path, headers, body, query)

    replace(ses_v2, "handle_request", handle)


def tell_what_becomes_of_mails():
    """No event of SES ever reached EventBridge. Now a configuration set's events
    are put on the bus as SES documents them: every mail is sent and delivered,
    and those to the mailbox simulator (bounce@simulator.amazonses.com and so on,
    with +label) meet the end that their name says, as on AWS."""
    ends = {"bounce": ["Bounce"], "suppressionlist": ["Bounce"], "complaint": ["Delivery", "Complaint"]}
    details = {"Send": "Email Sent", "Delivery": "Email Delivered", "Bounce": "Email Bounced",
               "Complaint": "Email Complaint Received"}

    async def handle(original, method, path, headers, body, query):
        answer = await original(method, path, headers, body, query)
        if answer[0] == 200 and method == "POST" and path.rstrip("/") == "/v2/email/outbound-emails":
            concurrency.spawn_background(publish, json.loads(body), json.loads(answer[2])["MessageId"],
                                         thread_name="keypool-ses-events")
        return answer

    def publish(request, message):
        name = request.get("ConfigurationSetName", "")
        destinations = (ses_v2._config_sets.get(name) or {}).get("EventDestinations") or {}
        told = {kind for one in destinations.values() if one["Enabled"] and one.get("EventBridgeDestination")
                for kind in one["MatchingEventTypes"]}
        to = [email.utils.parseaddr(address)[1] for address in request["Destination"].get("ToAddresses", [])]
        local, _, domain = to[0].partition("@") if to else ("", "", "")
        end = ends.get(local.partition("+")[0]) if domain == "simulator.amazonses.com" else None
        time.sleep(0.3)  # a mail takes its time
        for kind in ["Send"] + (end or ["Delivery"]):
            if kind.upper() in told:
                eventbridge._dispatch_event({
                    "EventId": responses.new_uuid(), "Source": "aws.ses", "DetailType": details[kind],
                    "Detail": json.dumps(detail(kind, request, message, name, to, local)), "EventBusName": "default",
                    "Time": time.time(), "Account": responses.get_account_id(), "Region": responses.get_region(),
                    "Resources": [f"arn:aws:ses:{responses.get_region()}:{responses.get_account_id()}:configuration-set/{name}"],
                })

    def detail(kind, request, message, name, to, local):
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        tags = {"ses:operation": ["SendEmail"], "ses:configuration-set": [name]}
        tags.update({tag["Name"]: [tag["Value"]] for tag in request.get("EmailTags") or []})
        return {
            "eventType": kind,
            "mail": {"timestamp": now, "source": request.get("FromEmailAddress", ""), "messageId": message,
                     "sendingAccountId": responses.get_account_id(), "destination": to, "tags": tags},
            kind.lower(): {
                "Send": {},
                "Delivery": {"timestamp": now, "processingTimeMillis": 300, "recipients": to,
                             "smtpResponse": "250 2.6.0 Message received", "reportingMTA": "a1-2.smtp-out.amazonses.com"},
                "Bounce": {"timestamp": now, "feedbackId": responses.new_uuid(), "bounceType": "Permanent",
                           "bounceSubType": "Suppressed" if local.startswith("suppressionlist") else "General",
                           "bouncedRecipients": [{"emailAddress": address, "action": "failed", "status": "5.1.1"} for address in to]},
                "Complaint": {"timestamp": now, "feedbackId": responses.new_uuid(), "complaintFeedbackType": "abuse",
                              "complainedRecipients": [{"emailAddress": address} for address in to]},
            }[kind],
        }

    replace(ses_v2, "handle_request", handle)


def keep_the_inbox():
    """Of all that is kept over a restart, the mails were left out."""

    def get_state(original):
        return {**original(), "_sent_emails": copy.deepcopy(ses._sent_emails)}

    def restore(original, data):
        original(data)
        ses._restore_regional_store(ses._sent_emails, data.get("_sent_emails", {}))

    replace(ses, "get_state", get_state)
    replace(ses, "_restore_state", restore)


def speak_http_1():
    """Clients in Go would choose HTTP/2, which no data plane of AWS offers to them
    and this server answers slowly (its HTTP/2 is in Python)."""
    HypercornConfig.alpn_protocols = ["http/1.1"]


def read_a_range_of_a_version():
    """GetObject with Range and VersionId answered 200 and the whole object; S3
    answers 206 and the range."""

    def get_object(original, bucket, key, headers, query_params=None):
        wanted = headers.get("range", "")
        if not wanted or not (query_params or {}).get("versionId"):
            return original(bucket, key, headers, query_params)
        whole = {name: value for name, value in headers.items() if name not in ("range", "x-amz-checksum-mode")}
        status, answer, body = original(bucket, key, whole, query_params)
        if status != 200:
            return status, answer, body
        found = s3._parse_range(wanted, len(body))
        if found is None:
            return 416, {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}, \
                s3._xml_body(s3._range_error_xml(bucket, key))
        start, end = found
        answer["Content-Length"] = str(end + 1 - start)
        answer["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
        return 206, answer, body[start:end + 1]

    replace(s3, "_get_object", get_object)


def retry_stream_records_as_the_mapping_says():
    """A stream's event source mapping ignored batchItemFailures, so that a failed
    record was lost, and retried a failed batch for ever. Lambda retries what
    failed, at most MaximumRetryAttempts times, and then reports it to the
    OnFailure destination and goes on. (Lambda resumes at the first failed record
    and can bisect a batch; here the batch is sent again as it was.)"""
    attempts = {}

    def execute(original, function, event, *args, **kwargs):
        result = original(function, event, *args, **kwargs)
        records = event.get("Records") if isinstance(event, dict) else None
        if not isinstance(records, list) or not records or not isinstance(records[0], dict) \
                or records[0].get("eventSource") != "aws:dynamodb":
            return result
        mapping = stream_mapping(function, records[0])
        if mapping is None:
            return result
        body = result.get("body")
        partial = (not result.get("error") and isinstance(body, dict) and body.get("batchItemFailures")
                   and "ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []))
        batch = mapping["UUID"], records[0]["dynamodb"]["SequenceNumber"]
        if not partial and not result.get("error"):
            attempts.pop(batch, None)
            return result
        attempts[batch] = attempts.get(batch, 0) + 1
        limit = mapping.get("MaximumRetryAttempts", -1)
        if limit is None or int(limit) < 0 or attempts[batch] <= int(limit):
            return {**result, "error": True, "body": body if result.get("error") else {
                "errorType": "BatchItemFailures", "errorMessage": f"{len(body['batchItemFailures'])} records failed"}}
        attempts.pop(batch)
        lambda_svc._send_ddb_stream_failure_record(
            mapping, function, records, mapping["EventSourceArn"], result, "RetryAttemptsExhausted")
        return {**result, "error": False, "body": None}

    def stream_mapping(function, record):
        name = (function.get("config") or function).get("FunctionName")
        for _, _, mapping in lambda_svc._iter_all_esms():
            if mapping.get("EventSourceArn") == record.get("eventSourceARN") and mapping.get("FunctionName") == name:
                return mapping
        return None

    replace(lambda_svc, "_execute_function", execute)


def take_a_missing_list_for_an_empty_one():
    """An answer with "batchItemFailures": null, which is how Go writes an empty
    list, broke the poller, so that the messages came again. To Lambda it means
    that all went well."""

    def execute(original, function, event, *args, **kwargs):
        result = original(function, event, *args, **kwargs)
        body = result.get("body")
        if isinstance(body, dict) and "batchItemFailures" in body and body["batchItemFailures"] is None:
            body["batchItemFailures"] = []
        return result

    replace(lambda_svc, "_execute_function", execute)


def read_a_stream_from_its_start_after_a_restart():
    """Read positions are kept over a restart but the records that they count are
    not, so as many new records as had ever been read went unseen."""

    def restore(original, store, positions):
        original(store, positions)
        if store is lambda_svc._dynamodb_stream_positions:
            for key in list(store._data):
                store._data[key] = 0

    replace(lambda_svc, "_restore_esm_positions", restore)


def hide_a_crash_from_the_caller():
    """A function that failed answered 502 with its error's text; an HTTP API
    answers 500 and tells nothing."""

    def answer(original, result):
        if result.get("error") and not result.get("throttle"):
            return {"statusCode": 500, "headers": {"Content-Type": "application/json"},
                    "body": '{"message":"Internal Server Error"}'}, None
        return original(result)

    replace(lambda_svc, "lambda_execute_result_to_api_proxy_response", answer)


def replace(module, name, wrapper):
    """Puts wrapper, called with the original before its arguments, in its place."""
    original = getattr(module, name)
    setattr(module, name, functools.wraps(original)(functools.partial(wrapper, original)))


answer_without_nagle()
speak_http_1()
listen_on_the_named_port_only()
check_the_signature_of_the_root()
refuse_what_is_not_signed_on_iam_routes()
authorize_partiql_by_statement()
know_which_items_are_meant()
know_what_a_secret_is_bound_to()
name_streams_and_logs_as_policies_do()
authorize_mails_by_sender()
know_whose_an_identity_is()
verify_a_domain_by_its_name()
tell_what_becomes_of_mails()
keep_the_inbox()
read_a_range_of_a_version()
take_a_missing_list_for_an_empty_one()
retry_stream_records_as_the_mapping_says()
read_a_stream_from_its_start_after_a_restart()
hide_a_crash_from_the_caller()

if __name__ == "__main__":
    app.main()
