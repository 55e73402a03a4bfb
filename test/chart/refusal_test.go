package chart

import (
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/config"
)

// TestWrongValuesAreRefusedByTheSchemaWithTheirPath: what is meant to reach the controller it would refuse too, unless stricter says
// why the chart does.
func TestWrongValuesAreRefusedByTheSchemaWithTheirPath(t *testing.T) {
	for set, c := range map[string]struct{ path, stricter string }{
		"config.max-parallel=0":                                        {"/config/max-parallel", ""},
		"config.max-parallel=5000":                                     {"/config/max-parallel", ""},
		"config.max-parallel=ten":                                      {"/config/max-parallel", ""},
		"config.max-catch-up=301":                                      {"/config/max-catch-up", ""},
		"config.backfill=dryrun":                                       {"/config/backfill", ""},
		"config.backfill=true":                                         {"/config/backfill", ""},
		"config.catch-up=some":                                         {"/config/catch-up", ""},
		"config.log-level=trace":                                       {"/config/log-level", ""},
		"config.log-format=yaml":                                       {"/config/log-format", ""},
		"config.grace=30":                                              {"/config/grace", ""},
		"config.grace=soon":                                            {"/config/grace", ""},
		"config.grace=":                                                {"/config/grace", ""},
		"config.late-after=-1m":                                        {"/config/late-after", ""},
		"config.default-deadline=2 hours":                              {"/config/default-deadline", ""},
		"config.default-deadline=1.5h":                                 {"/config/default-deadline", "how durations are documented"},
		"config.argo-namespace=":                                       {"/config/argo-namespace", ""},
		"config.argo-namespace=Argo":                                   {"/config/argo-namespace", ""},
		"config.namespace={etl,Batch}":                                 {"/config/namespace/1", ""},
		"config.namespace=etl":                                         {"/config/namespace", "one way to write it"},
		"config.instance-id=a b":                                       {"/config/instance-id", ""},
		"config.leader-elect=maybe":                                    {"/config/leader-elect", ""},
		"config.leader-elect-name=Rollcall":                            {"/config/leader-elect-name", ""},
		"config.leader-elect-namespace=a.b":                            {"/config/leader-elect-namespace", ""},
		"config.http-address=8080":                                     {"/config/http-address", ""},
		"config.http-address=127.0.0.1:8080":                           {"/config/http-address", "the kubelet could not ask there"},
		"config.metrics-address=:http":                                 {"/config/metrics-address", ""},
		"config.alertmanager-url=alertmanager":                         {"/config/alertmanager-url", ""},
		"config.alertmanager-url=http://a/?b=c":                        {"/config/alertmanager-url", ""},
		"config.controller-timezone=Local":                             {"/config/controller-timezone", ""},
		"config.identity=" + strings.Repeat("x", 129):                  {"/config/identity", ""},
		"config.maxParallel=5":                                         {"/config", ""},
		"config.grace=null":                                            {"/config", "a default that is there is not taken away"},
		"replicas=two":                                                 {"/replicas", ""},
		"replica=2":                                                    {"", ""},
		"image.tag=a:b":                                                {"/image/tag", ""},
		"image.repository=rollcall:1.0":                                {"/image/repository", ""},
		"image.pullPolicy=Sometimes":                                   {"/image/pullPolicy", ""},
		"strategy.type=rolling":                                        {"/strategy/type", ""},
		"terminationGracePeriodSeconds=5":                              {"/terminationGracePeriodSeconds", ""},
		"podDisruptionBudget.maxUnavailable=half":                      {"/podDisruptionBudget/maxUnavailable", ""},
		"rbac.recoveries=no way":                                       {"/rbac/recoveries", ""},
		"crds.instal=false":                                            {"/crds", ""},
		"resources.limits.memory=lots":                                 {"/resources/limits/memory", ""},
		"resources.limit.memory=1Gi":                                   {"/resources", ""},
		"livenessProbe.path=/":                                         {"/livenessProbe", ""},
		"service.httpPort=70000":                                       {"/service/httpPort", ""},
		"service.type=ExternalName":                                    {"/service/type", ""},
		"ingress.path=page":                                            {"/ingress/path", ""},
		"serviceMonitor.interval=often":                                {"/serviceMonitor/interval", ""},
		"serviceMonitor.enable=true":                                   {"/serviceMonitor", ""},
		"rules.labels.a-b=c":                                           {"/rules/labels", ""},
		"rules.runbookBaseURL=runbooks":                                {"/rules/runbookBaseURL", ""},
		"networkPolicy.egress.dns.ports={dns}":                         {"/networkPolicy/egress/dns/ports/0", ""},
		"networkPolicy.ingress.http[0].pods=all":                       {"/networkPolicy/ingress/http/0", ""},
		"topologySpreadConstraints[0].maxSkew=0":                       {"/topologySpreadConstraints/0/maxSkew", ""},
		"tolerations[0].effect=Never":                                  {"/tolerations/0/effect", ""},
		"extraEnv[0].value=x":                                          {"/extraEnv/0", ""},
		"podLabels.a=b c":                                              {"/podLabels/a", ""},
		"priorityClassName=High Priority":                              {"/priorityClassName", ""},
		"priorityClassName=a..b":                                       {"/priorityClassName", ""},
		"podSecurityContext.runAsUsr=1":                                {"/podSecurityContext", ""},
		"podSecurityContext.runAsUser=root":                            {"/podSecurityContext/runAsUser", ""},
		"securityContext.readOnlyRootFileSystem=true":                  {"/securityContext", ""},
		"securityContext.privileged=perhaps":                           {"/securityContext/privileged", ""},
		"extraVolumes[0].name=a,extraVolumes[0].configMp.name=b":       {"/extraVolumes/0", ""},
		"extraVolumeMounts[0].name=a,extraVolumeMounts[0].mountPth=/b": {"/extraVolumeMounts/0", ""},
		"resources.limits.memory=1.2.3":                                {"/resources/limits/memory", ""},
		"resources.limits.memory=5mi":                                  {"/resources/limits/memory", ""},
		"ingress.host=foo..bar":                                        {"/ingress/host", ""},
		"ingress.host=https://foo":                                     {"/ingress/host", ""},
	} {
		t.Run(set[:min(len(set), 60)], func(t *testing.T) {
			_, err := template(t, "--set", set)
			if err == nil {
				t.Fatal("it is rendered")
			}
			if want := "at '" + c.path + "'"; !strings.Contains(err.Error(), "don't meet the specifications of the schema") || !strings.Contains(err.Error(), want) {
				t.Errorf("want the schema to refuse it %s, got\n%v", want, err)
			}
			setting, ok := strings.CutPrefix(set, "config.")
			if !ok || c.stricter != "" {
				return
			}
			key, value, _ := strings.Cut(setting, "=")
			if inner, ok := strings.CutPrefix(value, "{"); ok {
				value = "[" + strings.TrimSuffix(inner, "}") + "]"
			} else if key != config.Backfill && key != config.MaxParallel && key != config.MaxCatchUp {
				value = `"` + value + `"`
			}
			if _, err := load(t, key+": "+value+"\n"); err == nil {
				t.Errorf("the controller takes %s: %s", key, value)
			}
		})
	}
}

func TestValuesThatDoNotGoTogetherAreRefusedWithWhatToDo(t *testing.T) {
	const known = "--api-versions=v1/Pod"
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"two that act without a Lease": {[]string{"--set", "config.leader-elect=false"}, "config.leader-elect: false is for replicas: 1"},
		"a rolling update without a Lease": {
			[]string{"--set", "config.leader-elect=false,replicas=1,strategy.type=RollingUpdate"}, "config.leader-elect: false is for replicas: 1 and strategy.type: Recreate only",
		},
		"two with one identity":                         {[]string{"--set", "config.identity=me"}, "config.identity is for replicas: 1"},
		"a deadline that is too short":                  {[]string{"--set", "config.default-deadline=19s"}, "config.default-deadline: 19s is less than 20s"},
		"no grace":                                      {[]string{"--set", "config.grace=0m0s"}, "config.grace must be more than 0"},
		"a port that there is not":                      {[]string{"--set", "config.http-address=:70000"}, "config.http-address: port 70000 is not between 1 and 65535"},
		"a port of any number":                          {[]string{"--set", "config.http-address=:0"}, "config.http-address: port 0 is not between 1 and 65535"},
		"two servers at one port":                       {[]string{"--set", "config.http-address=0.0.0.0:9090"}, "config.http-address and config.metrics-address have one port"},
		"an instance that names no Lease with two dots": {[]string{"--set", "config.instance-id=a..b"}, "config.leader-elect-name: give one"},
		"an instance that names no Lease":               {[]string{"--set", "config.instance-id=a_B"}, "config.leader-elect-name: give one"},
		"a password in a ConfigMap":                     {[]string{"--set", "config.alertmanager-url=http://u:secret@a:9093"}, "put the URL into a Secret"},
		"two Alertmanagers":                             {[]string{"--set", "config.alertmanager-url=http://a,alertmanagerURLSecret.name=b"}, "exclude each other"},
		"recoveries that are not permitted":             {[]string{"--set", "rbac.recoveries=false"}, "config.backfill: on needs rbac.recoveries: true"},
		"roles for whatever runs as default":            {[]string{"--set", "serviceAccount.create=false"}, "serviceAccount.name: name one, or Rollcall's roles would be bound to the ServiceAccount default"},
		"a setting as a variable":                       {[]string{"--set", "extraEnv[0].name=ROLLCALL_BACKFILL,extraEnv[0].value=off"}, "extraEnv: ROLLCALL_BACKFILL would beat the setting in config"},
		"an update that cannot begin":                   {[]string{"--set", "strategy.rollingUpdate.maxSurge=0"}, "maxUnavailable and maxSurge cannot both be 0"},
		"an update of 0 % that cannot begin":            {[]string{"--set", "strategy.rollingUpdate.maxSurge=0%"}, "strategy.rollingUpdate: maxUnavailable and maxSurge cannot both be 0"},
		"two ports of the Service with one number":      {[]string{"--set", "service.httpPort=80,service.metricsPort=80"}, "service.httpPort and service.metricsPort are both 80: choose two ports, or serve both at one address"},
		"a rule without metrics":                        {[]string{"--set", "rules.prometheusRule.enabled=true", "--set-string", "config.metrics-address=0"}, "rules.prometheusRule.enabled needs metrics, and config.metrics-address is 0"},
		"a rule file without metrics":                   {[]string{"--set", "rules.configMap.enabled=true", "--set-string", "config.metrics-address=0"}, "rules.configMap.enabled needs metrics, and config.metrics-address is 0"},
		"a pod that is scraped twice":                   {[]string{"--set", "serviceMonitor.enabled=true,podMonitor.enabled=true"}, "exclude each other"},
		"a ServiceMonitor without metrics":              {[]string{"--set", "serviceMonitor.enabled=true", "--set-string", "config.metrics-address=0"}, "serviceMonitor.enabled needs metrics"},
		"a page that is not served":                     {[]string{"--set", "ingress.enabled=true", "--set-string", "config.http-address=0"}, "ingress.enabled needs the page"},
		"a ServiceMonitor without the operator":         {[]string{known, "--set", "serviceMonitor.enabled=true"}, "serviceMonitor.enabled: this cluster has no kind ServiceMonitor (monitoring.coreos.com/v1): install the Prometheus operator's CRDs first"},
		"a PodMonitor without the operator":             {[]string{known, "--set", "podMonitor.enabled=true"}, "podMonitor.enabled: this cluster has no kind PodMonitor"},
		"a PrometheusRule without the operator": {
			[]string{known, "--api-versions=monitoring.coreos.com/v1/ServiceMonitor", "--set", "serviceMonitor.enabled=true,rules.prometheusRule.enabled=true"},
			"rules.prometheusRule.enabled: this cluster has no kind PrometheusRule",
		},
		"an alert that there is not":   {[]string{"--set", "rules.prometheusRule.enabled=true,rules.disabled={RollcallDwon}"}, "rules.disabled: there is no alert RollcallDwon"},
		"a Kubernetes that is too old": {[]string{"--kube-version=1.26.0"}, "chart requires kubeVersion: >=1.27.0-0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := template(t, c.args...)
			if err == nil {
				t.Fatal("it is rendered")
			}
			_, message, _ := strings.Cut(err.Error(), "Error:") // what was run comes before
			if !strings.Contains(message, c.want) || strings.Contains(message, "secret@") {
				t.Errorf("want %q, got\n%v", c.want, err)
			}
		})
	}
}
