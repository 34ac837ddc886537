// Infra is the CDK app: it makes the templates that the CDK's command line deploys.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"keypool/infra/deployment"
	"keypool/infra/stack"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	if err := add(app); err != nil {
		fmt.Fprintln(os.Stderr, err)
		jsii.Close()
		os.Exit(1)
	}
	app.Synth(nil)
}

func add(app awscdk.App) error {
	context, _ := app.Node().GetAllContext(nil).(map[string]any)
	// The account and region of the credentials, as the CDK's command line found them.
	for parameter, variable := range map[string]string{"account": "CDK_DEFAULT_ACCOUNT", "region": "CDK_DEFAULT_REGION"} {
		if value, ok := os.LookupEnv(variable); ok && context[parameter] == nil {
			context[parameter] = value
		}
	}
	settings, err := deployment.Read(context)
	if err != nil {
		return err
	}
	return stack.New(app, settings)
}
