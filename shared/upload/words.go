package upload

// Words says the outcome of a line in mails and pages: "already sold".
func (o Outcome) Words() string {
	if words, ok := outcomeWords[o]; ok {
		return words
	}
	return string(o)
}

var outcomeWords = map[Outcome]string{
	SameFile:           "twice in this file",
	ThisPool:           "already in this pool",
	AnotherPool:        "already in another pool",
	OtherSide:          "already on the other side, live or test",
	Sold:               "already sold",
	Withdrawn:          "withdrawn from sale",
	SharedCode:         "the code of a product",
	Blocked:            "blocked: leaked, or sold elsewhere",
	TooLong:            "longer than 2,048 bytes",
	Tab:                "with a tab in it",
	ControlCharacter:   "with a control character in it",
	InvisibleCharacter: "with an invisible character in it",
	InvalidText:        "not valid text",
	UnpairedQuotes:     "with quotes that do not pair",
	NoKey:              "without a key",
	OtherColumns:       "with more or fewer columns than the first",
	EndlessRow:         "with a quote that is never closed, so that nothing after it was read",
	NotStorable:        "refused by the store",
	SkippedHeading:     "the heading, passed over",
	SkippedComment:     "comments, passed over",
}

// Words says in mails and pages what was seen in a file: "there is a heading".
func (t Trait) Words() string {
	if words, ok := traitWords[t]; ok {
		return words
	}
	return string(t)
}

var traitWords = map[Trait]string{
	JSON:          "it is JSON",
	HTML:          "it is HTML or XML",
	Heading:       "there is a heading",
	Comments:      "there are comments or rulers",
	Numbers:       "numbers or bullets stand in front of the lines",
	Quotes:        "the lines stand in quotes",
	Separators:    "there is a comma, a semicolon or a bar in each line",
	SomeQuotes:    "some lines stand in quotes, others do not",
	Typography:    "there are dashes or quotes as word processors make them, where a customer types others",
	NoBreakSpaces: "there are no-break spaces inside lines",
}
