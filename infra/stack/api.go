package stack

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"keypool/infra/deployment"
)

// addAPI makes the HTTP API, without routes: functions are told its address, and routes
// lead to functions.
func (p *pipeline) addAPI() {
	p.api = awsapigatewayv2.NewCfnApi(p.stack, jsii.String("HttpApi"), &awsapigatewayv2.CfnApiProps{
		Name:         jsii.String(p.settings.Name),
		ProtocolType: jsii.String("HTTP"),
		// With a domain of its own, the API has that address alone: whatever stands before
		// the domain, a firewall for one, is not passed by another.
		DisableExecuteApiEndpoint: jsii.Bool(p.settings.APIDomain != ""),
	})
	if p.publicURL = p.settings.PublicURL; p.publicURL == "" {
		p.publicURL = *p.api.AttrApiEndpoint()
	}
	output(p.stack, "ApiId", p.api.Ref())
	output(p.stack, "ApiUrl", jsii.String(p.publicURL))
}

// addStage makes the routes of all functions, and the stage by which the API answers at
// its address.
func (p *pipeline) addStage() {
	throttles := map[string]any{}
	var routes []awsapigatewayv2.CfnRoute
	for _, f := range deployment.Functions {
		routes = append(routes, p.addRoutes(f)...)
		for _, r := range f.Routes {
			limit := p.settings.Throttle(r)
			// Names as CloudFormation has them: these settings are a map, which the CDK does
			// not translate.
			throttles[r.Key()] = map[string]any{"ThrottlingRateLimit": limit.Rate, "ThrottlingBurstLimit": limit.Burst}
		}
	}
	group := awslogs.NewCfnLogGroup(p.stack, jsii.String("HttpApiLogs"), &awslogs.CfnLogGroupProps{
		RetentionInDays: jsii.Number(p.settings.Retention),
		KmsKeyId:        p.data.key.KeyArn(),
	})
	stage := awsapigatewayv2.NewCfnStage(p.stack, jsii.String("Stage"), &awsapigatewayv2.CfnStageProps{
		ApiId:         p.api.Ref(),
		StageName:     jsii.String("$default"),
		AutoDeploy:    jsii.Bool(true),
		RouteSettings: throttles,
		AccessLogSettings: &awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: group.AttrArn(),
			Format:         jsii.String(accessLog()),
		},
	})
	for _, route := range routes {
		stage.AddResourceDependency(route, jsii.String("the stage's settings name the route"))
	}
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
			ApiId:      p.api.Ref(),
			DomainName: domain.Ref(),
			Stage:      stage.Ref(),
		})
		mapping.AddResourceDependency(stage, jsii.String("the mapping names the stage"))
		output(p.stack, "ApiDomainRecord", jsii.String(p.settings.APIDomain+" CNAME "+*domain.AttrRegionalDomainName()))
	}
}

// addRoutes makes the routes that lead to a function, and returns them.
func (p *pipeline) addRoutes(f deployment.Function) (routes []awsapigatewayv2.CfnRoute) {
	if len(f.Routes) == 0 {
		return nil
	}
	function := p.functions[f.ID]
	integration := awsapigatewayv2.NewCfnIntegration(p.stack, jsii.String(f.ID+"Integration"), &awsapigatewayv2.CfnIntegrationProps{
		ApiId:                p.api.Ref(),
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
		routes = append(routes, awsapigatewayv2.NewCfnRoute(p.stack, jsii.String("Route"+r.ID()), &awsapigatewayv2.CfnRouteProps{
			ApiId:             p.api.Ref(),
			RouteKey:          jsii.String(r.Key()),
			AuthorizationType: jsii.String(authorization),
			Target:            jsii.String("integrations/" + *integration.Ref()),
		}))
		awslambda.NewCfnPermission(p.stack, jsii.String(f.ID+"ByRoute"+r.ID()), &awslambda.CfnPermissionProps{
			Action:       jsii.String("lambda:InvokeFunction"),
			FunctionName: function.AttrArn(),
			Principal:    jsii.String("apigateway.amazonaws.com"),
			SourceArn:    jsii.String(p.here("execute-api", *p.api.Ref()+"/*/"+r.Pattern())),
		})
	}
	return routes
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
