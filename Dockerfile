# syntax=docker/dockerfile:1

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /out/switchback ./cmd/switchback
RUN mkdir /out/empty

# Certificates of the public authorities, time zones, the user nonroot (65532), and nothing else.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/switchback /usr/bin/switchback
# The runtime image has no mkdir: folders for Caddy's configuration and data, and for the control socket.
COPY --from=build --chown=nonroot:nonroot /out/empty /config
COPY --from=build --chown=nonroot:nonroot /out/empty /data
COPY --from=build --chown=nonroot:nonroot /out/empty /run/switchback

# CADDY_ADMIN is where the proxy listens for control calls if its Caddyfile says nothing else, and where
# `switchback split` in this container looks for it: a socket that only this user and its group can open.
ENV CADDY_ADMIN=unix//run/switchback/admin.sock|0660 \
    XDG_CONFIG_HOME=/config \
    XDG_DATA_HOME=/data

# /data holds certificates and the States of the splits, kill switches included: keep it.
VOLUME ["/config", "/data"]
USER nonroot
EXPOSE 80 443 443/udp

# Answers as soon as the control interface does. It does not ask the store: a proxy that has lost its Redis goes on
# serving, and must not be restarted for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/bin/switchback", "split", "list"]

# Mount your Caddyfile here.
ENTRYPOINT ["/usr/bin/switchback"]
CMD ["run", "--config", "/etc/switchback/Caddyfile"]
