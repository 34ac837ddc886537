// Destroy takes a deployment down. It keeps the data (tables, key, reports, and the
// bucket of key files), and the next deployment goes on with it. With data=delete it
// deletes the data too, after the deployment's name has been typed.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"keypool/infra/deployment"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	s, args, err := settings(ctx, &cfg, args)
	if err != nil {
		return err
	}
	if !s.DeleteData {
		fmt.Fprintf(out, "Taking down %s in %s of %s. The data stays: tables, key, reports and key files.\n", s.Name, s.Region, s.Account)
		return cdk(append([]string{"destroy", s.Name, "--force"}, args...))
	}

	fmt.Fprintf(out, "This deletes %s in %s of %s with all that it holds: every key, every order, every file.\nType %s to go on: ", s.Name, s.Region, s.Account, s.Name)
	if typed, _ := bufio.NewReader(in).ReadString('\n'); strings.TrimSpace(typed) != s.Name {
		return errors.New("nothing was deleted")
	}
	fmt.Fprintln(out, "1/3  lifting the protection of the data")
	if err := cdk(append([]string{"deploy", "--all", "--import-existing-resources", "--require-approval", "never", "--outputs-file", "cdk.out/outputs.json"}, args...)); err != nil {
		return err
	}
	fmt.Fprintln(out, "2/3  emptying the buckets")
	uploads, reports, err := bucketsOf("infra/cdk.out/outputs.json")
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(cfg)
	for _, bucket := range []string{uploads, reports} {
		n, err := empty(ctx, client, bucket)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "     %d objects deleted from %s\n", n, bucket)
	}
	fmt.Fprintln(out, "3/3  taking down the stacks; the key itself is deleted by AWS after 30 days")
	if err := cdk(append([]string{"destroy", "--all", "--force"}, args...)); err != nil {
		return err
	}
	// The stack always keeps the upload bucket.
	if _, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String(uploads)}); err != nil {
		return fmt.Errorf("delete %s: %w", uploads, err)
	}
	return nil
}

// settings returns the settings of the deployment, and the arguments for the CDK.
// Parameters that a deployment requires and its end does not depend on may be left out.
func settings(ctx context.Context, cfg *aws.Config, args []string) (deployment.Settings, []string, error) {
	parameters, err := deployment.Context("infra/cdk.json", args)
	if err != nil {
		return deployment.Settings{}, nil, err
	}
	if region, ok := parameters["region"].(string); ok {
		cfg.Region = region
	}
	identity, err := sts.NewFromConfig(*cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return deployment.Settings{}, nil, fmt.Errorf("AWS does not know who you are: %w", err)
	}
	parameters["account"], parameters["region"] = aws.ToString(identity.Account), cfg.Region
	for _, name := range []string{"sender", "operator"} {
		if parameters[name] == nil {
			parameters[name] = "nobody@keypool.invalid"
			args = append(slices.Clone(args), "-c", name+"=nobody@keypool.invalid")
		}
	}
	s, err := deployment.Read(parameters)
	return s, args, err
}

// cdk runs the CDK's command line in infra/, where its settings are.
func cdk(args []string) error {
	command := exec.Command("node_modules/.bin/cdk", append(args, "--no-notices")...)
	command.Dir = "infra"
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("cdk %s: %w", args[0], err)
	}
	return nil
}

// empty deletes every version of every object in a bucket, and returns their number. It
// lists from the start after each deletion, so it ends when nothing is left.
func empty(ctx context.Context, client *s3.Client, bucket string) (int, error) {
	deleted := 0
	for {
		page, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: aws.String(bucket)})
		if err != nil {
			return deleted, fmt.Errorf("list what is in %s: %w", bucket, err)
		}
		var objects []types.ObjectIdentifier
		for _, v := range page.Versions {
			objects = append(objects, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range page.DeleteMarkers {
			objects = append(objects, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		if len(objects) == 0 {
			return deleted, nil
		}
		result, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Objects: objects}})
		if err != nil {
			return deleted, fmt.Errorf("empty %s: %w", bucket, err)
		}
		if len(result.Errors) > 0 {
			return deleted, fmt.Errorf("empty %s: %d objects cannot be deleted, %s", bucket, len(result.Errors), aws.ToString(result.Errors[0].Code))
		}
		deleted += len(objects)
	}
}
