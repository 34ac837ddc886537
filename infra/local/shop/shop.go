// Package shop plays the people and systems around Keypool: the merchant who uploads
// keys and sets up products, the payment platform that sends a paid order, and the
// customer who reads a mail. It uses only what they can use: the bucket, the HTTPS API
// and the inbox.
package shop

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Shop is a client of one deployment of Keypool.
type Shop struct {
	AWS       aws.Config   // whose credentials may upload, and operate
	HTTP      *http.Client // trusts the API's address
	URL       string       // of the API
	ClientURL string       // of the one-machine run's API, for programs of any kind: see machine.ClientURL
	Bucket    string       // for key files
	Inbox     string       // where the one-machine run shows its mails; empty on AWS
}

// Answer is the response to a request.
type Answer struct {
	Status int
	Body   []byte
	Took   time.Duration
}

// Decode decodes the response's JSON.
func (a Answer) Decode(out any) error {
	if err := json.Unmarshal(a.Body, out); err != nil {
		return fmt.Errorf("the answer is not the JSON that was expected: %w", err)
	}
	return nil
}

// Refusal is the error for a response that is not a success.
type Refusal struct {
	Status int
	Detail string // what the problem said, without anything that was sent
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status))
	}
	return fmt.Sprintf("%d %s: %s", r.Status, http.StatusText(r.Status), r.Detail)
}

// Refused returns a *Refusal, or nil if the response is a success.
func (a Answer) Refused() error {
	if a.Status < 300 {
		return nil
	}
	var problem struct {
		Detail string
		Errors []struct{ Message, Location string }
	}
	if json.Unmarshal(a.Body, &problem) == nil {
		for _, e := range problem.Errors {
			problem.Detail += "\n" + e.Location + ": " + e.Message
		}
	}
	return &Refusal{Status: a.Status, Detail: problem.Detail}
}

// IsMissing reports whether err is a refusal with status 404.
func IsMissing(err error) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && refusal.Status == http.StatusNotFound
}

// Request is one request to the API.
type Request struct {
	Method, Path string
	Header       http.Header
	Body         []byte
}

// Do sends a request as it is.
func (s *Shop) Do(ctx context.Context, r Request) (Answer, error) {
	request, err := s.request(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	return s.send(request)
}

// Ask calls the API with a merchant's token. It sends in as JSON unless in is nil. A
// refusal is an error.
func (s *Shop) Ask(ctx context.Context, token, method, path string, in, out any) error {
	return s.ask(ctx, token, method, path, "", in, out)
}

// Change is Ask with PUT, for settings that are there, whatever their version.
func (s *Shop) Change(ctx context.Context, token, path string, in any) error {
	return s.ask(ctx, token, http.MethodPut, path, "*", in, nil)
}

// ask is Ask with the version that a change is based on.
func (s *Shop) ask(ctx context.Context, token, method, path, ifMatch string, in, out any) error {
	r, err := jsonRequest(method, path, ifMatch, in)
	if err != nil {
		return err
	}
	r.Header.Set("authorization", "Bearer "+token)
	answer, err := s.Do(ctx, r)
	return decoded(r, answer, err, out)
}

// Operate calls the API as the operator, signed with AWS credentials.
func (s *Shop) Operate(ctx context.Context, method, path string, in, out any) error {
	return s.operate(ctx, method, path, "", in, out)
}

// ChangeAsOperator is Operate with PUT, for settings that are there, whatever their version.
func (s *Shop) ChangeAsOperator(ctx context.Context, path string, in any) error {
	return s.operate(ctx, http.MethodPut, path, "*", in, nil)
}

func (s *Shop) operate(ctx context.Context, method, path, ifMatch string, in, out any) error {
	r, err := jsonRequest(method, path, ifMatch, in)
	if err != nil {
		return err
	}
	request, err := s.request(ctx, r)
	if err != nil {
		return err
	}
	who, err := s.AWS.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("no AWS credentials: %w", err)
	}
	sum := sha256.Sum256(r.Body)
	if err := v4.NewSigner().SignHTTP(ctx, who, request, hex.EncodeToString(sum[:]), "execute-api", s.AWS.Region, time.Now()); err != nil {
		return fmt.Errorf("sign the request: %w", err)
	}
	answer, err := s.send(request)
	return decoded(r, answer, err, out)
}

// Drop uploads a key file to the bucket, as any S3 client does.
func (s *Shop) Drop(ctx context.Context, key string, content []byte) error {
	_, err := s3.NewFromConfig(s.AWS).PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.Bucket, Key: &key, Body: bytes.NewReader(content), ContentType: aws.String("text/plain"),
	})
	if err != nil {
		return fmt.Errorf("upload %s: %w", key, err)
	}
	return nil
}

// Kept reports whether an object is still in the bucket.
func (s *Shop) Kept(ctx context.Context, key string) (bool, error) {
	_, err := s3.NewFromConfig(s.AWS).HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.Bucket, Key: &key})
	var missing *types.NotFound
	if errors.As(err, &missing) {
		return false, nil
	}
	return err == nil, err
}

func jsonRequest(method, path, ifMatch string, in any) (Request, error) {
	r := Request{Method: method, Path: path, Header: http.Header{}}
	if ifMatch != "" {
		r.Header.Set("if-match", ifMatch)
	}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return r, err
		}
		r.Body = body
		r.Header.Set("content-type", "application/json")
	}
	return r, nil
}

func decoded(r Request, answer Answer, err error, out any) error {
	if err == nil {
		err = answer.Refused()
	}
	if err == nil && out != nil {
		err = answer.Decode(out)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
	}
	return nil
}

func (s *Shop) request(ctx context.Context, r Request) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, r.Method, strings.TrimSuffix(s.URL, "/")+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	return request, nil
}

func (s *Shop) send(request *http.Request) (Answer, error) {
	start := time.Now()
	response, err := s.HTTP.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return Answer{Status: response.StatusCode, Body: body, Took: time.Since(start)}, nil
}
