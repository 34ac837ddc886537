// Package review lets people decide what becomes of the lines that a merchant's rules hold,
// and keeps the brake.
//
// Package claim puts a line on hold when it would get keys; catalog.Review has the rules.
// Here a person releases or rejects it, one by one or all, by the API or by a link in a
// mail, and sets the brake or takes it off.
package review
