//go:build deployment

package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
)

// checkStock does what the clock does, without waiting for it.
func checkStock(ctx context.Context) error {
	function := world.outputs["StockFunction"]
	out, err := lambda.NewFromConfig(world.shop.AWS).Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: []byte("{}")})
	if err == nil && out.FunctionError != nil {
		err = errors.New("the stock check failed")
	}
	return err
}

// breakSender takes the proof from the sender's address until mend is called.
func breakSender(t *testing.T) (mend func()) {
	t.Helper()
	client := sesv2.NewFromConfig(world.shop.AWS)
	sender := aws.String(machine.Sender)
	if _, err := client.DeleteEmailIdentity(t.Context(), &sesv2.DeleteEmailIdentityInput{EmailIdentity: sender}); err != nil {
		t.Fatal(err)
	}
	mended := false
	mend = func() {
		if mended {
			return
		}
		mended = true
		if _, err := client.CreateEmailIdentity(context.Background(), &sesv2.CreateEmailIdentityInput{EmailIdentity: sender}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(mend)
	return mend
}

// startWrongly deploys the code of a function once more, under another name and
// with those settings only, calls it and returns what it said.
func startWrongly(t *testing.T, output string, settings map[string]string) string {
	t.Helper()
	client := lambda.NewFromConfig(world.shop.AWS)
	deployed, err := client.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(world.outputs[output])})
	if err != nil {
		t.Fatal(err)
	}
	folder := strings.ToLower(strings.TrimSuffix(output, "Function"))
	zip, err := os.ReadFile(filepath.Join(world.machine.Checkout, ".build", machine.Architecture(), folder+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	name := aws.String("wrongly-set-" + folder)
	_, err = client.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: name, Role: deployed.Role, Runtime: deployed.Runtime, Handler: deployed.Handler, Architectures: deployed.Architectures,
		Code: &types.FunctionCode{ZipFile: zip}, Environment: &types.Environment{Variables: settings}, Timeout: aws.Int32(10),
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: name, LogType: types.LogTypeTail})
	if err != nil {
		t.Fatal(err)
	}
	if out.FunctionError == nil {
		t.Error("a function with wrong settings was called as if nothing were wrong")
	}
	log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil {
		t.Fatal(err)
	}
	// What a function says before its first event is in the log on AWS; the
	// emulator puts it into the answer.
	return string(log) + string(out.Payload)
}

// seal encrypts something under a key for that context, as the account's root.
func seal(t *testing.T, key string, context map[string]string) []byte {
	t.Helper()
	out, err := kms.NewFromConfig(world.shop.AWS).Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: []byte("rights"), EncryptionContext: context})
	if err != nil {
		t.Fatal(err)
	}
	return out.CiphertextBlob
}

// iterator is a place in a table's stream to read from.
func iterator(t *testing.T, stream, shard string) string {
	t.Helper()
	root, err := world.shop.AWS.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := jsonCall("dynamodb:GetShardIterator", "DynamoDBStreams_20120810.GetShardIterator", stream,
		object{"StreamArn": stream, "ShardId": shard, "ShardIteratorType": "LATEST"}).send(t.Context(), root)
	var found struct{ ShardIterator string }
	if err == nil {
		err = json.Unmarshal([]byte(answer.body), &found)
	}
	if err != nil || found.ShardIterator == "" {
		t.Fatal(answer, err)
	}
	return found.ShardIterator
}

// deadLetter waits until a dead-letter queue holds a message.
func deadLetter(t *testing.T, name string) {
	t.Helper()
	client := sqs.NewFromConfig(world.shop.AWS)
	list, err := client.ListQueues(t.Context(), &sqs.ListQueuesInput{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list.QueueUrls, func(address string) bool { return strings.Contains(address, name) })
	if i < 0 {
		t.Fatalf("there is no queue %s", name)
	}
	err = shop.Await(t.Context(), timeout, "a dead letter in "+name, func() (bool, error) {
		got, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: &list.QueueUrls[i], AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages},
		})
		return err == nil && got.Attributes["ApproximateNumberOfMessages"] != "0", err
	})
	if err != nil {
		t.Fatal(err)
	}
}
