# syntax=docker/dockerfile:1
# Two stages: what builds is not in what runs. docs/how-to/systemd.md says how it is started.

FROM rust:1.95-slim-trixie AS build
# aws-lc and SQLite are C.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked -p wardgate-server \
    && install -D target/dist/wardgate /out/usr/local/bin/wardgate \
    # With the owner and the mode that the volume takes over.
    && install -d -o 65532 -g 65532 -m 0700 /out/var/lib/wardgate

# glibc and the authorities of TLS, and neither a shell nor a package manager; the user is 65532.
FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /out/ /
VOLUME ["/var/lib/wardgate"]
WORKDIR /var/lib/wardgate
EXPOSE 8080
# Gone within ten seconds: Docker's own patience, so give it a little more (docker stop --time 15).
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/wardgate"]
CMD ["serve", "--data-dir", "/var/lib/wardgate", "--listen", "0.0.0.0:8080"]
