package stack

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
)

// route is one route of the HTTP API. Most callers are checked by the functions
// themselves, by signature or token; the operator's are signed and checked by AWS.
type route struct {
	key      string
	function string
	signed   bool
}

var routes = []route{
	{"POST /webhooks/{merchant}/{account}", "Webhook", false},
	{"GET /openapi.json", "Api", false},
	{"ANY /v1/{proxy+}", "Api", false},
	{"GET /operator/openapi.json", "Operator", false},
	{"GET /v1/merchants/{merchant}", "Operator", true},
	{"PUT /v1/merchants/{merchant}", "Operator", true},
	{"POST /v1/merchants/{merchant}/tokens", "Operator", true},
}

func (p *pipeline) addAPI() {
	api := awsapigatewayv2.NewCfnApi(p.stack, jsii.String("HttpApi"), &awsapigatewayv2.CfnApiProps{
		Name:         jsii.String(p.settings.Name),
		ProtocolType: jsii.String("HTTP"),
	})

	integrations := map[string]awsapigatewayv2.CfnIntegration{}
	for i, r := range routes {
		function := p.functions[r.function]
		if integrations[r.function] == nil {
			integrations[r.function] = awsapigatewayv2.NewCfnIntegration(p.stack, jsii.String(r.function+"Integration"), &awsapigatewayv2.CfnIntegrationProps{
				ApiId:                api.Ref(),
				IntegrationType:      jsii.String("AWS_PROXY"),
				IntegrationUri:       function.AttrArn(),
				PayloadFormatVersion: jsii.String("2.0"),
				TimeoutInMillis:      jsii.Number(30_000),
			})
		}
		authorization := "NONE"
		if r.signed {
			authorization = "AWS_IAM"
		}
		number := strconv.Itoa(i + 1)
		awsapigatewayv2.NewCfnRoute(p.stack, jsii.String("Route"+number), &awsapigatewayv2.CfnRouteProps{
			ApiId:             api.Ref(),
			RouteKey:          jsii.String(r.key),
			AuthorizationType: jsii.String(authorization),
			Target:            jsii.String("integrations/" + *integrations[r.function].Ref()),
		})
		awslambda.NewCfnPermission(p.stack, jsii.String(r.function+"ByRoute"+number), &awslambda.CfnPermissionProps{
			Action:       jsii.String("lambda:InvokeFunction"),
			FunctionName: function.AttrArn(),
			Principal:    jsii.String("apigateway.amazonaws.com"),
			SourceArn:    jsii.String(p.here("execute-api", *api.Ref()+"/*/"+r.caller())),
		})
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

// caller is how a route stands in the ARN that API Gateway calls a function by.
func (r route) caller() string {
	method, path, _ := strings.Cut(r.key, " ")
	if method == "ANY" {
		method = "*"
	}
	return method + regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(path, "*")
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
