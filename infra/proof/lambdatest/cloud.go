package lambdatest

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"keypool/infra/proof/dynamotest"
)

// cloud is the fake AWS, at the HTTP transport of the SDK. DynamoDB is the engine of
// the tests; S3, SQS, KMS and SES accept every call. One call of a run can be refused.
type cloud struct {
	sandbox *Sandbox
	engine  *url.URL
	rights  *rights

	mu      sync.Mutex      // guards the sandbox's files too
	made    map[string]bool // calls of this run, by the SDK's invocation id
	at      int             // number of the call to refuse, from 1
	victim  string          // its invocation id, once it is made
	refusal *refusal

	metadata map[string]string // the digest that a file was put with, by path
}

func newCloud(s *Sandbox) *cloud {
	s.Helper()
	engine, err := url.Parse(dynamotest.Endpoint())
	if err != nil {
		s.Fatal(err)
	}
	rights, err := newRights()
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		for _, right := range rights.unused() {
			s.Errorf("no call needs the right to %s: have the test make one, or take the right away", right)
		}
	})
	return &cloud{sandbox: s, engine: engine, rights: rights, metadata: map[string]string{}}
}

// refuse begins a run in which call number at is refused; no call, if r is nil.
func (c *cloud) refuse(at int, r *refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made, c.at, c.victim, c.refusal = map[string]bool{}, at, "", r
}

func (c *cloud) calls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.made)
}

// refused reports whether this run has come to the call to refuse.
func (c *cloud) refused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.victim != ""
}

// meets counts an attempt and returns its refusal, nil if it is not refused. Calls run
// in parallel, so the attempts of one call are known by its invocation id.
func (c *cloud) meets(r *http.Request) *refusal {
	call := r.Header.Get("Amz-Sdk-Invocation-Id")
	c.mu.Lock()
	defer c.mu.Unlock()
	if call == "" {
		c.sandbox.Errorf("%s %s has no Amz-Sdk-Invocation-Id", r.Method, r.URL.Path)
	}
	c.made[call] = true
	if c.refusal != nil && c.victim == "" && len(c.made) == c.at {
		c.victim = call
	}
	if call != c.victim {
		return nil
	}
	return c.refusal
}

// refusal is a way in which a call fails, at each attempt of the SDK.
type refusal struct {
	name   string
	answer func(service string, r *http.Request, quote string) (*http.Response, error)
}

var refusals = []refusal{
	{"a value refused and quoted", refuseAs(http.StatusBadRequest, "ValidationException")},
	{"a right refused, what it was for quoted", refuseAs(http.StatusForbidden, "AccessDeniedException")},
	{"a code that nobody knows", refuseAs(http.StatusBadRequest, "StrangeException")},
	{"a refusal of the mail, or of a condition", func(service string, r *http.Request, quote string) (*http.Response, error) {
		code := map[string]string{"dynamodb": "ConditionalCheckFailedException", "ses": "MessageRejected", "kms": "InvalidCiphertextException"}[service]
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "TransactWriteItems") {
			code = "TransactionCanceledException"
		}
		return refuseAs(http.StatusBadRequest, code)(service, r, quote)
	}},
	{"an answer that is a page", func(_ string, r *http.Request, quote string) (*http.Response, error) {
		return response(r, http.StatusBadGateway, "text/html", "<html>"+quote), nil
	}},
	{"an answer cut off", func(_ string, r *http.Request, quote string) (*http.Response, error) {
		return response(r, http.StatusOK, "application/x-amz-json-1.0", `{"Item":{"`+quote), nil
	}},
	{"a connection reset", func(string, *http.Request, string) (*http.Response, error) {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}},
}

// refuseAs refuses a call as AWS does: the message quotes the whole call, and so does
// the item that DynamoDB returns with a failed condition.
func refuseAs(status int, code string) func(string, *http.Request, string) (*http.Response, error) {
	return func(service string, r *http.Request, quote string) (*http.Response, error) {
		words := "1 validation error detected: Value '" + quote + "' failed to satisfy constraint"
		if service == "s3" {
			var escaped bytes.Buffer
			xml.EscapeText(&escaped, []byte(words))
			return response(r, status, "application/xml", fmt.Sprintf("<Error><Code>%s</Code><Message>%s</Message><Key>%[2]s</Key></Error>", code, &escaped)), nil
		}
		item := map[string]any{"pk": map[string]string{"S": quote}, "text": map[string]string{"S": quote}}
		body, err := json.Marshal(map[string]any{
			"__type": "com.amazonaws#" + code, "message": words, "Message": words, "Item": item,
			"CancellationReasons": []any{map[string]any{"Code": "ValidationError", "Message": words, "Item": item}},
		})
		if err != nil {
			return nil, err
		}
		answer := response(r, status, "application/x-amz-json-1.0", string(body))
		answer.Header.Set("X-Amzn-Errortype", code)
		return answer, nil
	}
}

// RoundTrip implements http.RoundTripper.
func (c *cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	service := "s3"
	switch target := r.Header.Get("X-Amz-Target"); {
	case strings.HasPrefix(target, "DynamoDB"):
		service = "dynamodb"
	case strings.HasPrefix(target, "AmazonSQS"):
		service = "sqs"
	case strings.HasPrefix(target, "TrentService"):
		service = "kms"
	case strings.HasPrefix(r.URL.Path, "/v2/email/"):
		service = "ses"
	}
	if refusal := c.meets(r); refusal != nil {
		// AWS may quote the request, and the data that it stores.
		quote := r.URL.String() + string(body) + string(c.sandbox.Secret)
		c.mu.Lock()
		for _, file := range c.sandbox.Files {
			quote += string(file)
		}
		c.mu.Unlock()
		return refusal.answer(service, r, quote)
	}
	switch service {
	case "dynamodb":
		c.authorize(r.Header.Get("X-Amz-Target"), body)
		forwarded := r.Clone(r.Context())
		forwarded.URL = c.engine
		forwarded.Host = c.engine.Host
		forwarded.Body, forwarded.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return dynamotest.Engine().RoundTrip(forwarded)
	case "sqs":
		var sent struct{ MessageBody, QueueUrl string }
		if err := json.Unmarshal(body, &sent); err != nil {
			return nil, err
		}
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		queue := map[string]string{"fill": "${Fills.Arn}", "ranges": "${Ranges.Arn}", "catchup": "${Catchups.Arn}", "jobs": "${Jobs.Arn}"}[path.Base(sent.QueueUrl)]
		c.take(access{action: "sqs:" + operation, resource: queue})
		sum := md5.Sum([]byte(sent.MessageBody))
		return response(r, http.StatusOK, "application/x-amz-json-1.0", fmt.Sprintf(`{"MessageId":"1","MD5OfMessageBody":%q}`, hex.EncodeToString(sum[:]))), nil
	case "kms":
		answer, err := json.Marshal(map[string][]byte{"Plaintext": c.sandbox.Secret, "CiphertextBlob": []byte("sealed")})
		if err != nil {
			return nil, err
		}
		return response(r, http.StatusOK, "application/x-amz-json-1.1", string(answer)), nil
	case "ses":
		if r.Method == http.MethodGet {
			return response(r, http.StatusOK, "application/json", `{"VerifiedForSendingStatus":true,"DkimAttributes":{"Status":"SUCCESS"},"MailFromAttributes":{"MailFromDomain":"`+planted.MailFrom+`","MailFromDomainStatus":"SUCCESS"}}`), nil
		}
		return response(r, http.StatusOK, "application/json", `{"MessageId":"0100"}`), nil
	}
	return c.bucket(r, body), nil
}

// authorize holds a call of DynamoDB against the function's rights.
func (c *cloud) authorize(target string, body []byte) {
	tables := map[string]string{c.sandbox.Tables.Catalog: "Catalog", c.sandbox.Tables.Keys: "Keys", c.sandbox.Tables.Orders: "Orders", c.sandbox.Tables.Sessions: "Sessions"}
	_, operation, _ := strings.Cut(target, ".")
	asked, err := accesses(operation, body, func(name string) string { return tables[name] })
	if err != nil {
		c.sandbox.Error(err)
	}
	c.take(asked...)
}

func (c *cloud) take(asked ...access) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range asked {
		if err := c.rights.take(a); err != nil {
			c.sandbox.Error(err)
		}
	}
}

// bucket is S3.
func (c *cloud) bucket(r *http.Request, body []byte) *http.Response {
	name, _, _ := strings.Cut(r.URL.Host, ".")
	place := "/" + name + r.URL.Path
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && r.URL.Query().Has("uploads"):
		return response(r, http.StatusOK, "application/xml", "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
	case r.Method == http.MethodPost && r.URL.Query().Has("uploadId"): // a part is stored as the object
		return response(r, http.StatusOK, "application/xml", "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
	case r.Method == http.MethodDelete && r.URL.Query().Has("uploadId"):
		return response(r, http.StatusNoContent, "", "")
	case r.Method == http.MethodPut && r.URL.Query().Has("tagging"):
		return response(r, http.StatusOK, "", "")
	case r.Method == http.MethodPut:
		c.sandbox.Files[place], c.metadata[place] = body, r.Header.Get("X-Amz-Meta-Digest")
		return response(r, http.StatusOK, "", "")
	case r.Method == http.MethodDelete:
		delete(c.sandbox.Files, place)
		return response(r, http.StatusNoContent, "", "")
	}
	file, ok := c.sandbox.Files[place]
	if !ok {
		return response(r, http.StatusNotFound, "application/xml", "<Error><Code>NoSuchKey</Code></Error>")
	}
	answer := response(r, http.StatusOK, "", string(file)) // whole, as some emulators answer a range
	if r.Method == http.MethodHead {
		answer.Body = http.NoBody
	}
	answer.Header.Set("Content-Length", strconv.Itoa(len(file)))
	answer.Header.Set("X-Amz-Version-Id", "1")
	answer.Header.Set("X-Amz-Meta-Digest", c.metadata[place])
	return answer
}

func response(r *http.Request, status int, contentType, body string) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {contentType}, "X-Amzn-Requestid": {"REFUSED"}},
		Body:   io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}
