# mayfly as one executable on a small base, for a user without rights.
#
#   docker build --tag mayfly .
#   docker run --publish 6379:6379 --volume mayfly:/data --env MAYFLY_REQUIREPASS=... mayfly
#
# It listens on all addresses of the container. Without a password protected mode refuses every client that is not in
# the container itself, as the clients of a published port are not: set MAYFLY_REQUIREPASS, or, in a network that
# only trusted clients reach, MAYFLY_PROTECTED_MODE=no.

FROM node:22-bookworm-slim AS build
WORKDIR /build
RUN npm install --global deno@2.9.6
COPY deno.json deno.lock ./
COPY src ./src
COPY tools ./tools
RUN deno task compile

FROM debian:bookworm-slim
COPY --from=build /build/dist/mayfly /usr/local/bin/mayfly
RUN useradd --system --uid 65532 --no-create-home mayfly && install --directory --owner mayfly /data
USER mayfly
# What it writes lies below its working directory.
WORKDIR /data
VOLUME /data
ENV MAYFLY_HOST=0.0.0.0,:: \
    MAYFLY_DATA_DIR=/data \
    MAYFLY_LOG_FORMAT=json
EXPOSE 6379 7171
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["mayfly", "ping"]
ENTRYPOINT ["mayfly"]
CMD ["serve"]
