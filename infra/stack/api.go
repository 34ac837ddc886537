package stack

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"keypool/infra/deployment"
)

// addAPI makes the HTTP API with the routes of all functions.
func (p *pipeline) addAPI() {
	api := awsapigatewayv2.NewCfnApi(p.stack, jsii.String("HttpApi"), &awsapigatewayv2.CfnApiProps{
		Name:         jsii.String(p.settings.Name),
		ProtocolType: jsii.String("HTTP"),
	})

	for _, f := range deployment.Functions {
		p.addRoutes(f, api)
	}
	group := awslogs.NewCfnLogGroup(p.stack, jsii.String("HttpApiLogs"), &awslogs.CfnLogGroupProps{
		RetentionInDays: jsii.Number(p.settings.Retention),
		KmsKeyId:        p.data.key.KeyArn(),
	})
	stage := awsapigatewayv2.NewCfnStage(p.stack, jsii.String("Stage"), &awsapigatewayv2.CfnStageProps{
		ApiId:      api.Ref(),
		StageName:  jsii.String("$default"),
		AutoDeploy: jsii.Bool(true),
		DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
			ThrottlingRateLimit:  jsii.Number(p.settings.Rate),
			ThrottlingBurstLimit: jsii.Number(p.settings.Burst),
		},
		AccessLogSettings: &awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: group.AttrArn(),
			Format:         jsii.String(accessLog()),
		},
	})
	url := api.AttrApiEndpoint()
	if p.settings.APIDomain != "" {
		domain := awsapigatewayv2.NewCfnDomainName(p.stack, jsii.String("ApiDomain"), &awsapigatewayv2.CfnDomainNameProps{
			DomainName: jsii.String(p.settings.APIDomain),
			DomainNameConfigurations: []*awsapigatewayv2.CfnDomainName_DomainNameConfigurationProperty{{
				CertificateArn: jsii.String(p.settings.Certificate),
				EndpointType:   jsii.String("REGIONAL"),
				SecurityPolicy: jsii.String("TLS_1_2"),
			}},
		})
		mapping := awsapigatewayv2.NewCfnApiMapping(p.stack, jsii.String("ApiMapping"), &awsapigatewayv2.CfnApiMappingProps{
			ApiId:      api.Ref(),
			DomainName: domain.Ref(),
			Stage:      stage.Ref(),
		})
		mapping.AddResourceDependency(stage, jsii.String("the mapping names the stage"))
		output(p.stack, "ApiDomainRecord", jsii.String(p.settings.APIDomain+" CNAME "+*domain.AttrRegionalDomainName()))
		url = jsii.String("https://" + p.settings.APIDomain)
	}
	output(p.stack, "ApiId", api.Ref())
	output(p.stack, "ApiUrl", url)
}

// addRoutes makes the routes that lead to a function.
func (p *pipeline) addRoutes(f deployment.Function, api awsapigatewayv2.CfnApi) {
	if len(f.Routes) == 0 {
		return
	}
	function := p.functions[f.ID]
	integration := awsapigatewayv2.NewCfnIntegration(p.stack, jsii.String(f.ID+"Integration"), &awsapigatewayv2.CfnIntegrationProps{
		ApiId:                api.Ref(),
		IntegrationType:      jsii.String("AWS_PROXY"),
		IntegrationUri:       function.AttrArn(),
		PayloadFormatVersion: jsii.String("2.0"),
		TimeoutInMillis:      jsii.Number(30_000),
	})
	for _, r := range f.Routes {
		authorization := "NONE"
		if r.IAM {
			authorization = "AWS_IAM"
		}
		awsapigatewayv2.NewCfnRoute(p.stack, jsii.String("Route"+r.ID()), &awsapigatewayv2.CfnRouteProps{
			ApiId:             api.Ref(),
			RouteKey:          jsii.String(r.Key()),
			AuthorizationType: jsii.String(authorization),
			Target:            jsii.String("integrations/" + *integration.Ref()),
		})
		awslambda.NewCfnPermission(p.stack, jsii.String(f.ID+"ByRoute"+r.ID()), &awslambda.CfnPermissionProps{
			Action:       jsii.String("lambda:InvokeFunction"),
			FunctionName: function.AttrArn(),
			Principal:    jsii.String("apigateway.amazonaws.com"),
			SourceArn:    jsii.String(p.here("execute-api", *api.Ref()+"/*/"+r.Pattern())),
		})
	}
}

// accessLog names the route, never the path: paths hold merchants, orders and products.
func accessLog() string {
	line, err := json.Marshal(map[string]string{
		"requestId":   "$context.requestId",
		"at":          "$context.requestTime",
		"route":       "$context.routeKey",
		"status":      "$context.status",
		"took":        "$context.responseLatency",
		"length":      "$context.responseLength",
		"integration": "$context.integrationStatus",
	})
	if err != nil {
		panic(err) // a map of strings encodes
	}
	return string(line)
}
