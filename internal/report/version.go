package report

// Version says which build this is.
type Version struct {
	Kind
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// NewVersion describes a build.
func NewVersion(version, commit, goVersion, platform string) *Version {
	return &Version{Kind: kind("Version"), Version: version, Commit: commit, Go: goVersion, Platform: platform}
}

// DeepCopyObject implements runtime.Object.
func (v *Version) DeepCopyObject() Document {
	c := *v
	return &c
}
