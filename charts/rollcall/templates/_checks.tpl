{{- /* What a schema cannot check: values that do not go together. */}}
{{- define "rollcall.checks" -}}
{{- $config := .Values.config }}
{{- $single := and (eq (int .Values.replicas) 1) (eq (include "rollcall.strategy" .) "Recreate") }}
{{- if and (not (index $config "leader-elect")) (not $single) }}
{{- fail "config.leader-elect: false is for replicas: 1 and strategy.type: Recreate only: without a Lease, two pods would both act" }}
{{- end }}
{{- if and $config.identity (not $single) }}
{{- fail "config.identity is for replicas: 1 and strategy.type: Recreate only: pods with the same identity would both take themselves for the leader" }}
{{- end }}
{{- with index $config "default-deadline" }}
{{- if lt (include "rollcall.seconds" . | int64) 20 }}
{{- fail (printf "config.default-deadline: %s is less than 20s: that is too short to recover anything in" .) }}
{{- end }}
{{- end }}
{{- range list "grace" "late-after" }}
{{- if lt (include "rollcall.seconds" (index $config .) | int64) 1 }}{{ fail (printf "config.%s must be more than 0" .) }}{{ end }}
{{- end }}
{{- $subdomain := "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" }}
{{- if and (index $config "leader-elect") (not (regexMatch $subdomain (include "rollcall.electionName" .))) }}
{{- fail (printf "config.leader-elect-name: give one, the default, %s with this instance-id, cannot be the name of a Lease" (include "rollcall.electionName" .)) }}
{{- end }}
{{- range list "http-address" "metrics-address" }}
{{- $name := . }}
{{- with include "rollcall.port" (index $config .) }}
{{- if or (lt (int .) 1) (gt (int .) 65535) }}{{ fail (printf "config.%s: port %s is not between 1 and 65535" $name .) }}{{ end }}
{{- end }}
{{- end }}
{{- if and (include "rollcall.httpPort" .) (eq (include "rollcall.httpPort" .) (include "rollcall.metricsPort" .)) (ne (index $config "http-address") (index $config "metrics-address")) }}
{{- fail "config.http-address and config.metrics-address have one port: write both alike, or choose two ports" }}
{{- end }}
{{- $two := and (include "rollcall.httpPort" .) (include "rollcall.metricsPort" .) (ne (include "rollcall.httpPort" .) (include "rollcall.metricsPort" .)) }}
{{- if and $two (eq (int .Values.service.httpPort) (int .Values.service.metricsPort)) }}
{{- fail (printf "service.httpPort and service.metricsPort are both %d: choose two ports, or serve both at one address" (int .Values.service.httpPort)) }}
{{- end }}
{{- if regexMatch "^[a-z]+://[^/]*@" (index $config "alertmanager-url") }}
{{- fail "config.alertmanager-url has a user or password, which would stand in a ConfigMap: put the URL into a Secret and name that in alertmanagerURLSecret.name" }}
{{- end }}
{{- if and (index $config "alertmanager-url") .Values.alertmanagerURLSecret.name }}
{{- fail "config.alertmanager-url and alertmanagerURLSecret.name exclude each other" }}
{{- end }}
{{- if and (eq (toString $config.backfill) "on") .Values.rbac.create (not .Values.rbac.recoveries) }}
{{- fail "config.backfill: on needs rbac.recoveries: true" }}
{{- end }}
{{- if and .Values.rbac.create (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) }}
{{- fail "serviceAccount.name: name one, or Rollcall's roles would be bound to the ServiceAccount default, of every pod of the namespace that names none" }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if hasPrefix "ROLLCALL_" .name }}{{ fail (printf "extraEnv: %s would beat the setting in config: set it there" .name) }}{{ end }}
{{- end }}
{{- if and (eq (include "rollcall.strategy" .) "RollingUpdate") (regexMatch "^0+%?$" (toString .Values.strategy.rollingUpdate.maxUnavailable)) (regexMatch "^0+%?$" (toString .Values.strategy.rollingUpdate.maxSurge)) }}
{{- fail "strategy.rollingUpdate: maxUnavailable and maxSurge cannot both be 0" }}
{{- end }}
{{- include "rollcall.monitoringChecks" . }}
{{- end }}

{{- define "rollcall.monitoringChecks" -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
{{- fail "serviceMonitor.enabled and podMonitor.enabled exclude each other: every pod would be scraped twice" }}
{{- end }}
{{- $kinds := dict
  "serviceMonitor.enabled" (list .Values.serviceMonitor.enabled "ServiceMonitor")
  "podMonitor.enabled" (list .Values.podMonitor.enabled "PodMonitor")
  "rules.prometheusRule.enabled" (list .Values.rules.prometheusRule.enabled "PrometheusRule") }}
{{- range $value, $kind := $kinds }}
{{- if and (first $kind) (include "rollcall.clusterKnown" $) (not ($.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" (last $kind)))) }}
{{- fail (printf "%s: this cluster has no kind %s (monitoring.coreos.com/v1): install the Prometheus operator's CRDs first, or switch it off" $value (last $kind)) }}
{{- end }}
{{- end }}
{{- if not (include "rollcall.metricsPort" .) }}
{{- /* Rules too: without metrics, RollcallDown would ring for ever. */}}
{{- $needing := dict
  "serviceMonitor.enabled" .Values.serviceMonitor.enabled
  "podMonitor.enabled" .Values.podMonitor.enabled
  "prometheusAnnotations.enabled" .Values.prometheusAnnotations.enabled
  "rules.prometheusRule.enabled" .Values.rules.prometheusRule.enabled
  "rules.configMap.enabled" .Values.rules.configMap.enabled }}
{{- range $value, $on := $needing }}
{{- if $on }}{{ fail (printf "%s needs metrics, and config.metrics-address is 0" $value) }}{{ end }}
{{- end }}
{{- end }}
{{- if .Values.ingress.enabled }}
{{- if not (include "rollcall.httpPort" .) }}{{ fail "ingress.enabled needs the page, and config.http-address is 0" }}{{ end }}
{{- end }}
{{- end }}
