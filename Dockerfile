# The program alone, for a read-only file system and a user without rights. docs/guide/install.md says how to run it.
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package viral \
    && strip --strip-all -o /viral target/release/viral

# glibc, libgcc and certificates, and nothing to start but what is copied here.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /viral /usr/bin/viral
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/viral/
# Nobody may write anywhere but to /tmp.
ENV VIRAL_CACHE_DIR=/tmp/viral
EXPOSE 8080 8080/udp 8081/udp
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/viral"]
CMD ["serve", "/srv", "--listen", "0.0.0.0:8080", "--admin-listen", "off"]
