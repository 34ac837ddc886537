# Keypool. `make` alone lists what there is to do.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Node 20 still runs the CDK; its runtime would say so in a screenful each time.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 1
export CDK_DISABLE_CLI_TELEMETRY := 1

# AWS runs the functions on arm64; the one-machine run on whatever this machine is.
ARCH ?= arm64
HOST_ARCH := $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)
GOARCH_arm64 := arm64
GOARCH_x86_64 := amd64
# Calls in the packages under these paths are not inlined: the code that decodes an operation is
# copied for each of them, and api's zip would be 6.7 MB, not 5.9. A claim, which waits for
# DynamoDB, takes 3 percent more processor time for it.
NOT_INLINED := keypool github.com go.yaml.in golang.org/x net encoding regexp log
# No service that a function calls needs HTTP/2: DynamoDB, SQS, SES, KMS and S3 speak HTTP/1.1.
TAGS := lambda.norpc,nethttpomithttp2
COMPILE := -trimpath -buildvcs=false -tags $(TAGS) $(NOT_INLINED:%=-gcflags=%/...=-l)
BUILD := $(COMPILE) -ldflags "-s -w"

# Compiled as the functions are, so that what they share is compiled once.
LOCAL := CGO_ENABLED=0 go run $(COMPILE) ./infra/local
DYNAMODB := infra/local/with-dynamodb.sh
# A tool's binary is called by its path: "go tool" exits with 0 when a signal kills the tool.
GOTESTSUM := "$$(go tool -n gotestsum)" --format pkgname-and-test-fails --hide-summary skipped

# Settings reach a command only if they were typed: make order QTY=3. The shell's
# own NAME or EMAIL is somebody else's.
typed = $(foreach name,$(1),$(if $(filter command,$(firstword $(origin $(name)))),$(name)='$($(name))'))

.PHONY: help
help: ## this list
	@printf 'Keypool: from a dropped key file to the customer'"'"'s mail.\n\n'
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z][a-z0-9-]*:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ See it work, on this machine, without an AWS account (Linux)

.PHONY: demo up down reset order event trace inbox portal logs merchant token sign-in
demo: need-local ## the whole story, told step by step
	@$(LOCAL) demo $(call typed,PORT)

up: need-local ## start the one-machine run and write .local/env
	@$(LOCAL) up $(call typed,PORT)

down: ## stop it; what it holds is kept
	@$(LOCAL) down

reset: ## stop it and delete what it holds: merchants, keys, orders, mails, .local/env
	@$(LOCAL) reset

order: ## send a paid order: QTY= EMAIL= PRODUCT= CURRENCY= LANGUAGE= TEST=
	@$(LOCAL) order $(call typed,QTY EMAIL PRODUCT CURRENCY LANGUAGE TEST)

event: ## send a platform's signed sample: PLATFORM=stripe EVENT=paid ORDER= PAID_AT= PRODUCT= QUANTITY= EMAIL= TEST=
	@$(LOCAL) event $(call typed,PLATFORM EVENT ORDER PAID_AT PRODUCT QUANTITY EMAIL TEST)

trace: ## what happened to an order, and what comes next, here or on AWS: ORDER= MERCHANT= STACK=
	@$(LOCAL) trace $(call typed,ORDER MERCHANT STACK)

inbox: ## the mails that were sent, as a page
	@$(LOCAL) inbox $(call typed,PORT)

portal: ## the Merchant Portal in a browser, signed in as the demo merchant's owner
	@$(LOCAL) portal

logs: ## the functions' logs: FUNCTION= FOLLOW=
	@$(LOCAL) logs $(call typed,FUNCTION FOLLOW)

merchant: ## set up a merchant, here or on AWS: NAME= EMAIL= OWNER= POOL= PRODUCT= TITLE= STACK=
	@$(LOCAL) merchant $(call typed,NAME EMAIL OWNER POOL PRODUCT TITLE STACK)

token: ## make an API token for a merchant: NAME= SCOPES=settings,orders:read or PERSON=, FOR= DAYS= RATE= STACK=
	@$(LOCAL) token $(call typed,NAME SCOPES PERSON FOR DAYS RATE STACK)

sign-in: ## open a merchant's portal for an hour to help there, here or on AWS; its owners are told: MERCHANT= WHY= STACK=
	@$(LOCAL) sign-in $(call typed,MERCHANT WHY STACK)

##@ Work on it

# The packages that are also tested on DynamoDB Local: the store, the claim, the
# model of DynamoDB, and a storm of faults.
ENGINE := ./shared/dynamo/... ./shared/claim ./infra/proof/dynamosim ./infra/proof/faults

.PHONY: check test unit histories engine race-test e2e kills api-test lint sam-lint html-lint browser template documents pictures vuln
check: need-build lint unit ## format, vet, linters, all tests on the in-process engine: a minute

# The first lane keeps a core busy, the others wait as much as they work.
test: need-test infra/apiclient/client.gen.go ## everything, its stages side by side; their output is in .local/test
	@infra/lanes.sh "lint unit histories engine race-test" "browser e2e" "kills sam-lint html-lint"

unit: ## all packages, on the in-process engine
	@env -u DYNAMODB_ENDPOINT $(GOTESTSUM) -- -timeout 10m ./...

histories: ## two hundred thousand simulated steps with injected faults
	@go test -count=1 -timeout 10m -run '^TestHistories$$' ./infra/proof/simulate -args -steps 200000

engine: ## the store, the claim, the model of DynamoDB and a storm of faults, on DynamoDB Local
	@$(DYNAMODB) $(GOTESTSUM) -- -timeout 10m $(ENGINE)

race-test: ## the race for keys, under the race detector
	@$(DYNAMODB) $(GOTESTSUM) -- -race -timeout 10m ./shared/claim

# The build tag keeps the tests that make a deployment out of go test ./...
e2e: need-local need-html infra/apiclient/client.gen.go ## end to end, on a one-machine deployment
	@"$$(go tool -n gotestsum)" --format testname -- -tags deployment -count=1 -timeout 20m ./infra/local/e2e

kills: need-local ## a one-machine deployment whose processes are killed
	@go run ./infra/proof kills -record=false

# The Go client that tests end to end call the API by.
infra/apiclient/client.gen.go: functions/api/openapi.json infra/apiclient/config.yaml infra/apiclient/overlay.yaml go.mod
	@go generate ./infra/apiclient

api-test: need-local .local/schemathesis/bin/schemathesis ## the one-machine run's API against its document: SEED= EXAMPLES=
	@$(LOCAL) up
	@$(call typed,SEED EXAMPLES) infra/api-test.sh

lint: infra/apiclient/client.gen.go ## gofumpt, go vet, staticcheck, and the checks of infra/lint
	@out=$$(git ls-files -co --exclude-standard '*.go' | xargs "$$(go tool -n gofumpt)" -l); \
	  if [ -n "$$out" ]; then printf 'not formatted, mend with: go tool gofumpt -w %s\n' "$$(echo $$out)" >&2; exit 1; fi
	@go vet -tags deployment,browser ./...
	@go vet -tags deployment,browser -vettool="$$(go tool -n lint)" ./...
	@"$$(go tool -n staticcheck)" -tags deployment,browser ./...

sam-lint: .local/sam/bin/sam
	@$(SAM) validate --lint

html-lint: need-html ## mails and pages that everybody can read: axe-core, the Nu checker
	@go run ./infra/pictures check

# The build tag keeps the tests that open Chromium out of go test ./...
browser: need-html ## the portal in Chromium: journeys, axe-core, the Tab key, without script: ONLY=
	@"$$(go tool -n gotestsum)" --format testname -- -tags browser -count=1 -timeout 15m $(if $(ONLY),-run '$(ONLY)',-run '^TestBrowser') $(addprefix ./,infra/browser $(wildcard functions/orderpage functions/portal))

template: need-build ## write template.yaml anew, from the tables of infra/deployment
	@go run ./infra/template

documents: need-build ## write the OpenAPI documents and other pages anew, from what api and operator say
	@go test ./functions/api ./functions/operator -run '^(TestDocument_isCurrent|TestRoles_tableIsCurrent|TestLinkPages_areCurrent)$$' -update

pictures: need-cdk ## draw mails and pages anew, as people see them: infra/pictures/README.md
	@go run ./infra/pictures
	@go test -tags browser -count=1 ./functions/portal -run '^TestBrowser_demoShop$$' -args -draw

vuln: need-build ## known vulnerabilities in what the program calls
	@infra/vuln.sh

.PHONY: build app
app: need-build # the CDK app, as the one-machine run takes it
	@CGO_ENABLED=0 go build $(COMPILE) -o .local/bin/infra ./infra

build: need-build ## the functions' zips, the same bytes from the same source: ARCH=arm64|x86_64
	@mkdir -p .build/$(ARCH)/bin
	@CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH_$(ARCH)) go build $(BUILD) -o .build/$(ARCH)/bin/ ./functions/...
	@CGO_ENABLED=0 go run $(COMPILE) ./infra/zip .build/$(ARCH)/bin .build/$(ARCH)

##@ Prove it, and measure it: what comes of it stands in infra/proof/RESULTS.md

.PHONY: race mutants break simulate faults fuzz rights bench
race: need-test ## 500 orders race for 400 keys, drawn while it runs
	@go run ./infra/proof race

mutants: need-build ## break it on purpose in many ways: a test must notice each
	@go run ./infra/proof mutants $(if $(ONLY),-only $(ONLY))

break: need-build ## choose one of them and watch what happens
	@go run ./infra/proof mutants -break

simulate: need-build ## five million simulated steps with injected faults, and the limits of throughput: SEED= STEPS=
	@go run ./infra/proof simulate $(if $(STEPS),-steps $(STEPS)) $(if $(SEED),-seed $(SEED))

faults: need-test ## storms of faults on real engines, and a one-machine deployment whose processes are killed: SEED=
	@go run ./infra/proof faults $(if $(SEED),-seed $(SEED))
	@go run ./infra/proof kills

fuzz: need-build ## bad input by the million: TIME=10m ONLY=
	@go run ./infra/proof fuzz $(if $(filter command,$(firstword $(origin TIME))),-time $(TIME)) $(if $(ONLY),-only $(ONLY))

rights: need-test ## secrets where they must not be, rights that nobody should have
	@go run ./infra/proof rights

bench: need-test need-html infra/apiclient/client.gen.go ## speed and cost: ONLY=
	@go run ./infra/proof bench $(if $(ONLY),-only $(ONLY))

##@ Run it on AWS

CDK := infra/node_modules/.bin/cdk
# What the CDK app takes: make deploy SENDER=keys@example.com OPERATOR=you@example.com
PARAMETERS := name region sender operator retention memory concurrency schedule delayMailAfter maxQuantity rate burst tags domain apiDomain certificate publicUrl
upper = $(shell echo $(1) | sed 's/\([A-Z]\)/_\1/g' | tr a-z A-Z)
CONTEXT = $(foreach p,$(PARAMETERS),$(if $(filter command,$(firstword $(origin $(call upper,$(p))))),-c $(p)='$($(call upper,$(p)))'))
STACKS = $(if $(filter command,$(firstword $(origin NAME))),$(NAME),Keypool)

.PHONY: doctor deploy destroy
doctor: need-build ## is the account ready, and does what is deployed answer? SENDER= OPERATOR= API_DOMAIN= CERTIFICATE=
	@echo "looking at the account (the first time, a minute goes into compiling)"
	@go run ./infra/doctor $(CONTEXT)

deploy: need-cdk doctor build $(CDK) ## deploy to AWS: SENDER= OPERATOR= REGION= NAME= …
	@echo "deploying, three minutes the first time"
	@cd infra && node_modules/.bin/cdk deploy --all --import-existing-resources --require-approval never --no-notices $(CONTEXT)

destroy: need-cdk build $(CDK) ## take it down; the data stays unless DATA=delete
	@go run ./infra/destroy $(CONTEXT) $(if $(filter delete,$(DATA)),-c data=delete)

$(CDK): infra/package-lock.json
	@echo "fetching the CDK's command line, once"
	@cd infra && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

##@ Run a function in SAM's container (Docker)

SAM := SAM_CLI_TELEMETRY=0 .local/sam/bin/sam
SAM_GOARCH ?= $(GOARCH_$(ARCH))

.PHONY: sam-build sam-bridge sam-invoke sam-api
sam-build: need-build .local/sam/bin/sam ## build them for this machine
	@SAM_GOARCH=$(GOARCH_$(HOST_ARCH)) $(SAM) build --parameter-overrides Arch=$(HOST_ARCH)

sam-bridge: ## let containers reach the one-machine run, until Ctrl-C
	@$(LOCAL) bridge

# A command with the bridge up, and the one-machine run's credentials.
with_bridge = go build -o .local/bin/local ./infra/local; .local/bin/local bridge & trap "kill $$!" EXIT; . .local/env; $(1)

sam-invoke: sam-build ## FUNCTION=Webhook EVENT=events/….json; an order is signed for the one-machine run
	@event=$$($(LOCAL) sign FILE='$(EVENT)'); \
	  $(call with_bridge,$(SAM) local invoke $(FUNCTION) -e "$$event" --parameter-overrides Arch=$(HOST_ARCH))

sam-api: sam-build ## the HTTP API at http://127.0.0.1:3000
	@$(call with_bridge,$(SAM) local start-api --parameter-overrides Arch=$(HOST_ARCH))

.local/sam/bin/sam:
	@infra/prerequisites.sh python
	@echo "fetching SAM's command line from PyPI, once"
	@python3 -m venv .local/sam
	@.local/sam/bin/pip install --quiet --disable-pip-version-check aws-sam-cli==1.170.0

.local/schemathesis/bin/schemathesis:
	@infra/prerequisites.sh python
	@echo "fetching schemathesis from PyPI, once"
	@python3 -m venv .local/schemathesis
	@.local/schemathesis/bin/pip install --quiet --disable-pip-version-check schemathesis==4.32.5

# sam build calls build-Webhook and so on. Beside the binary lies the one-machine run's certificate,
# where there is one, so that a function in the container may trust it.
build-%: always
	CGO_ENABLED=0 GOOS=linux GOARCH=$(SAM_GOARCH) go build $(BUILD) -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(shell echo $* | tr A-Z a-z)
	if [ -f .local/machine/tls/ca.pem ]; then cp .local/machine/tls/ca.pem "$(ARTIFACTS_DIR)/ca.pem"; fi

always: ;

.PHONY: always need-local need-test need-build need-cdk need-html
need-local: ; @infra/prerequisites.sh go node npm python
need-test: ; @infra/prerequisites.sh go node npm python java maven
need-build: ; @infra/prerequisites.sh go
need-cdk: ; @infra/prerequisites.sh go node npm
need-html: ; @infra/prerequisites.sh go node npm java
