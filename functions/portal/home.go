package main

// homeData is what the first page shows.
type homeData struct {
	Greeting string
}

func (p *portal) homeScreens() []screen {
	return []screen{{pattern: "GET /portal", serve: p.home}}
}

func (p *portal) home(v *visit) (answer, error) {
	return answer{page: "home", title: "Home", data: homeData{"Good day, " + v.Called}}, nil
}
