// Package dynamosim is a model of DynamoDB, as far as Keypool speaks it. It stands
// at the HTTP transport of the real SDK client.
package dynamosim
