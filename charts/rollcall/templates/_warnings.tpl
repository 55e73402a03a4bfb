{{- /* What was chosen and may surprise, as a list in JSON. */}}
{{- define "rollcall.warnings" -}}
{{- $config := .Values.config }}
{{- $all := list }}
{{- $rules := or .Values.rules.prometheusRule.enabled .Values.rules.configMap.enabled }}
{{- $posts := or (index $config "alertmanager-url") .Values.alertmanagerURLSecret.name }}
{{- if and (include "rollcall.clusterKnown" .) (not (.Capabilities.APIVersions.Has "argoproj.io/v1alpha1/CronWorkflow")) }}
{{- $all = append $all "this cluster has no CronWorkflows: install Argo Workflows. Until then the pods do not become Ready." }}
{{- end }}
{{- if and (not .Values.crds.install) (include "rollcall.clusterKnown" .) (not (.Capabilities.APIVersions.Has "rollcall.dev/v1alpha1/CronAudit")) }}
{{- $all = append $all "crds.install is false, and this cluster has no CronAudits: what is found out is lost at a restart, and nothing is recovered, until the CRD is there." }}
{{- end }}
{{- if and .Values.crds.install (not .Values.crds.keep) }}
{{- $all = append $all "crds.keep is false: uninstalling the release deletes the records of all CronWorkflows." }}
{{- end }}
{{- if eq (int .Values.replicas) 0 }}
{{- $all = append $all "replicas is 0: nobody calls the roll." }}
{{- else if eq (int .Values.replicas) 1 }}
{{- $all = append $all "replicas is 1: while its pod moves to another node, nothing is judged or recovered. What is missed meanwhile is brought back afterwards, where its starting deadline allows." }}
{{- end }}
{{- if not (or $rules $posts) }}
{{- $all = append $all "nobody is told when a run is lost: set rules.prometheusRule.enabled (Prometheus operator), rules.configMap.enabled, or config.alertmanager-url." }}
{{- else if and $rules (not (or .Values.serviceMonitor.enabled .Values.podMonitor.enabled .Values.prometheusAnnotations.enabled)) }}
{{- $all = append $all "there are rules, and none of serviceMonitor, podMonitor and prometheusAnnotations is enabled: see that Prometheus scrapes the pods, with honor_labels: true." }}
{{- end }}
{{- if and $rules $posts }}
{{- $all = append $all "there are rules, and Rollcall posts to Alertmanager itself: use one of the two. Where both go to one Alertmanager, what differs in a label (rules.labels, external labels of Prometheus) is told twice." }}
{{- end }}
{{- if not (include "rollcall.httpPort" .) }}
{{- $all = append $all "config.http-address is 0: the pods have no probes, and one that hangs is not restarted." }}
{{- end }}
{{- if not .Values.rbac.create }}
{{- $all = append $all "rbac.create is false: see that the ServiceAccount has the permissions that docs/configuration.md lists." }}
{{- end }}
{{- toJson $all }}
{{- end }}
