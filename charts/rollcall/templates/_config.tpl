{{- /* The file of settings: what is empty is left out, the default of the controller counts. */}}
{{- define "rollcall.config" -}}
{{- $settings := dict }}
{{- range $key, $value := .Values.config }}
{{- if or $value (kindIs "bool" $value) }}{{ $_ := set $settings $key $value }}{{ end }}
{{- end }}
{{- toYaml $settings }}
{{- end }}

{{- /* The port of an address such as :8080; empty for "0". */}}
{{- define "rollcall.port" -}}
{{- if contains ":" . }}{{ splitList ":" . | last }}{{ end }}
{{- end }}
{{- define "rollcall.httpPort" -}}{{ include "rollcall.port" (index .Values.config "http-address") }}{{- end }}
{{- define "rollcall.metricsPort" -}}{{ include "rollcall.port" (index .Values.config "metrics-address") }}{{- end }}

{{- /* The name of the container's port with the metrics: where both addresses are the same, one port has both. */}}
{{- define "rollcall.metricsPortName" -}}
{{- if eq (include "rollcall.httpPort" .) (include "rollcall.metricsPort" .) }}http{{ else }}metrics{{ end }}
{{- end }}

{{- /* The name of the Service's port with the metrics: one port of one number has both. */}}
{{- define "rollcall.serviceMetricsPortName" -}}
{{- $one := and (eq (include "rollcall.metricsPortName" .) "http") (eq (int .Values.service.httpPort) (int .Values.service.metricsPort)) }}
{{- ternary "http" "metrics" $one }}
{{- end }}

{{- define "rollcall.electionNamespace" -}}
{{- default .Release.Namespace (index .Values.config "leader-elect-namespace") }}
{{- end }}

{{- define "rollcall.electionName" -}}
{{- $id := index .Values.config "instance-id" }}
{{- default (ternary (printf "rollcall-%s" $id) "rollcall" (not (empty $id))) (index .Values.config "leader-elect-name") }}
{{- end }}

{{- /* What the strategy is where none is chosen: without a Lease two pods must never run at once. */}}
{{- define "rollcall.strategy" -}}
{{- default (ternary "RollingUpdate" "Recreate" (index .Values.config "leader-elect")) .Values.strategy.type }}
{{- end }}

{{- /* A duration such as 1h30m in seconds. */}}
{{- define "rollcall.seconds" -}}
{{- $seconds := 0 }}
{{- range $unit, $of := dict "h" 3600 "m" 60 "s" 1 }}
{{- with regexFind (printf "[0-9]+%s" $unit) $ }}{{ $seconds = add $seconds (mul $of (trimSuffix $unit . | int64)) }}{{ end }}
{{- end }}
{{- $seconds }}
{{- end }}

{{- /* 90 % of a limit of memory in bytes; empty for one in a form that is not read. */}}
{{- define "rollcall.memoryLimit" -}}
{{- $text := kindIs "float64" . | ternary (int64 . | toString) (toString .) }}
{{- if regexMatch "^[0-9]+(Ki|Mi|Gi|k|M|G)?$" $text }}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 }}
{{- $number := regexFind "^[0-9]+" $text | int64 }}
{{- div (mul $number (get $units (regexFind "[A-Za-z]*$" $text)) 9) 10 }}
{{- end }}
{{- end }}

{{- /* What the container has in its environment, as a list; empty for nothing. */}}
{{- define "rollcall.env" -}}
{{- $env := list }}
{{- $given := list }}
{{- range .Values.extraEnv }}{{ $given = append $given .name }}{{ end }}
{{- with include "rollcall.memoryLimit" (dig "limits" "memory" "" .Values.resources) }}
{{- if not (has "GOMEMLIMIT" $given) }}{{ $env = append $env (dict "name" "GOMEMLIMIT" "value" .) }}{{ end }}
{{- end }}
{{- with .Values.alertmanagerURLSecret }}
{{- if .name }}
{{- $env = append $env (dict "name" "ROLLCALL_ALERTMANAGER_URL" "valueFrom" (dict "secretKeyRef" (dict "name" .name "key" .key))) }}
{{- end }}
{{- end }}
{{- with .Values.transientErrorPattern }}{{ $env = append $env (dict "name" "TRANSIENT_ERROR_PATTERN" "value" .) }}{{ end }}
{{- with concat $env .Values.extraEnv }}{{ toYaml . }}{{ end }}
{{- end }}

{{- /* Whether this is rendered with a cluster at hand. Of one, Helm lists the kinds too, not only the groups as `helm template` does. */}}
{{- define "rollcall.clusterKnown" -}}
{{- if .Capabilities.APIVersions.Has "v1/Pod" }}true{{ end }}
{{- end }}
