package redis_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/store/redis"
)

// password is in every configuration of these tests, and must be in no error.
const password = "s3cret/with#marks"

func TestConfigErrors(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	address := []string{"redis:6379"}
	for name, tt := range map[string]struct {
		in   redis.Config
		want string
	}{
		"nothing":             {redis.Config{}, "either a url or addresses"},
		"both":                {redis.Config{URL: "redis://a", Addresses: address}, "either a url or addresses"},
		"fleet":               {redis.Config{URL: "redis://a", Fleet: "No Name"}, `fleet "No Name": must match`},
		"scheme":              {redis.Config{URL: "http://a"}, `scheme "http": must be redis`},
		"no host":             {redis.Config{URL: "redis:///0"}, "no host"},
		"password not quoted": {redis.Config{URL: "redis://:" + password + "@a"}, "percent-encoded"},
		"query":               {redis.Config{URL: "redis://a?db=1"}, "no query"},
		"database name":       {redis.Config{URL: "redis://a/x"}, `database "x": must be a number`},
		"two databases":       {redis.Config{URL: "redis://a/1", DB: 2}, "database 1, the configuration 2"},
		"database below 0":    {redis.Config{Addresses: address, DB: -1}, "database -1: must be 0 or greater"},
		"two passwords":       {redis.Config{URL: "redis://u:p@a", Password: password}, "give them once"},
		"user alone":          {redis.Config{URL: "redis://a", Username: "u"}, `username "u": needs a password`},
		"tls and redis":       {redis.Config{URL: "redis://a", TLS: true}, "use rediss"},
		"ca without tls":      {redis.Config{URL: "redis://a", CAFile: empty}, "needs TLS"},
		"ca missing":          {redis.Config{URL: "rediss://a", CAFile: empty + "x"}, "no such file"},
		"ca empty":            {redis.Config{URL: "rediss://a", CAFile: empty}, "at least one certificate"},
		"address":             {redis.Config{Addresses: []string{"redis"}}, `address "redis": must be host:port`},
		"port":                {redis.Config{Addresses: []string{"redis:0"}}, `address "redis:0": port must be`},
		"addresses":           {redis.Config{Addresses: []string{"a:1", "b:1"}}, "needs master_name (Sentinel) or cluster"},
		"sentinel url":        {redis.Config{URL: "redis://a", MasterName: "m"}, `master_name "m": needs the Sentinels' addresses`},
		"sentinel cluster":    {redis.Config{Addresses: address, MasterName: "m", Cluster: true}, "exclude each other"},
		"sentinel password":   {redis.Config{Addresses: address, SentinelPassword: password}, "needs master_name"},
		"cluster database":    {redis.Config{Addresses: address, Cluster: true, DB: 1}, "a cluster has only 0"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.in.Password == "" && tt.in.URL == "" {
				tt.in.Password = password
			}
			_, err := redis.Open(tt.in, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Open: got %v, want an error with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	for _, tt := range []struct {
		in   redis.Config
		want string
	}{
		{redis.Config{URL: "redis://user:" + "pw" + "@redis"}, "redis://redis:6379"},
		{redis.Config{URL: "rediss://:pw@[::1]:6380/3"}, "rediss://[::1]:6380 db 3"},
		{redis.Config{Addresses: []string{"a:1"}, Username: "u", Password: "pw"}, "redis://a:1"},
		{redis.Config{Addresses: []string{"a:1", "b:2"}, MasterName: "m", SentinelPassword: "pw", DB: 1},
			"redis://a:1,b:2 (sentinel m) db 1"},
		{redis.Config{Addresses: []string{"a:1", "b:2"}, Cluster: true, TLS: true}, "rediss://a:1,b:2 (cluster)"},
	} {
		s, err := redis.Open(tt.in, nil)
		if err != nil {
			t.Errorf("Open(%v): %v", tt.want, err)
			continue
		}
		got := s.Describe()
		if got.Kind != "redis" || got.Address != tt.want || got.Warning != "" {
			t.Errorf("Describe: got %+v, want %s", got, tt.want)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}
