{{- /* One endpoint of a ServiceMonitor or PodMonitor, of whose values this is given. */}}
{{- define "rollcall.endpoint" -}}
path: /metrics
# The metrics bear the labels namespace and cronworkflow, of the CronWorkflow. Without this, Prometheus would put the pod's namespace
# in the place of the first, and the alerts would name the wrong one.
honorLabels: true
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The file of rules with what the values change of it. */}}
{{- define "rollcall.rules" -}}
{{- $file := "files/rules.yaml" }}
{{- $rules := required (printf "%s is missing in this chart" $file) (.Files.Get $file) | fromYaml }}
{{- $disabled := .Values.rules.disabled }}
{{- $known := list }}
{{- $groups := list }}
{{- range $group := $rules.groups }}
{{- $kept := list }}
{{- range $rule := $group.rules }}
{{- $known = append $known (default "" $rule.alert) }}
{{- if $rule.alert }}
{{- $_ := set $rule "labels" (merge (deepCopy $.Values.rules.labels) (default dict $rule.labels)) }}
{{- with $.Values.rules.runbookBaseURL }}
{{- $url := ternary . (printf "%s/%%s" (trimSuffix "/" .)) (contains "%s" .) }}
{{- $_ := set $rule.annotations "runbook_url" (replace "%s" $rule.alert $url) }}
{{- end }}
{{- end }}
{{- if not (has (default "" $rule.alert) $disabled) }}{{ $kept = append $kept $rule }}{{ end }}
{{- end }}
{{- if $kept }}{{ $groups = append $groups (merge (dict "rules" $kept) (omit $group "rules")) }}{{ end }}
{{- end }}
{{- range $disabled }}
{{- if not (has . $known) }}{{ fail (printf "rules.disabled: there is no alert %s" .) }}{{ end }}
{{- end }}
{{- if not $groups }}{{ fail "rules.disabled: no alert is left: switch rules.prometheusRule.enabled and rules.configMap.enabled off instead" }}{{ end }}
{{- toYaml (dict "groups" $groups) }}
{{- end }}
