// Hello is the least that a function can be: what starting any Go function costs.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() {
	lambda.Start(func() (string, error) { return "hello, world", nil })
}
