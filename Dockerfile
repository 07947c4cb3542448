# docker build -t gateway --build-arg VERSION=1.2.3 .         the gateway
# docker build -t gateway-simulator --target simulator .      the simulated upstream, to try the gateway

# The compiler runs on the builder's own architecture, and compiles for the target's.
FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:10.0-noble AS build
ARG TARGETARCH
WORKDIR /source

# Copy the files that list the packages first, so that a change of code does not restore the packages again.
COPY global.json Directory.Build.props Directory.Packages.props ./
COPY src/Gateway/Gateway.csproj src/Gateway/
COPY src/Simulator/Simulator.csproj src/Simulator/
COPY src/Demo/Demo.csproj src/Demo/
RUN dotnet restore src/Gateway/Gateway.csproj --arch $TARGETARCH -p:SelfContained=true

COPY .editorconfig appsettings.json ./
COPY src/ src/
# The repository and its tags are not in the build's context.
ARG VERSION=0.0.0-local
RUN dotnet publish src/Gateway/Gateway.csproj --no-restore --configuration Release --arch $TARGETARCH --output /app \
    -p:SelfContained=true -p:ContinuousIntegrationBuild=true -p:MinVerVersionOverride=$VERSION

# The image has no shell and no package manager, and does not run as root. The output contains the .NET version of the
# SDK above.
FROM mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled AS runtime
WORKDIR /app
COPY --from=build /app ./
USER $APP_UID

# The gateway's output also contains the simulator, and the health command, which needs no shell.
FROM runtime AS simulator
ARG VERSION=0.0.0-local
LABEL org.opencontainers.image.title="Gateway simulator" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.description="A simulated upstream of the gateway" \
      org.opencontainers.image.licenses="MIT"
EXPOSE 5081
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 \
    CMD ["./Gateway", "health", "--url", "http://127.0.0.1:5081/_simulator"]
ENTRYPOINT ["./Simulator", "--listen", "0.0.0.0", "--port", "5081"]

# This stage is last, because a build without a target builds the last stage.
FROM runtime AS gateway
ARG VERSION=0.0.0-local
LABEL org.opencontainers.image.title="Gateway" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.description="A caching gateway for processing jobs" \
      org.opencontainers.image.licenses="MIT"
ENV ASPNETCORE_HTTP_PORTS=8080 \
    Management__Port=9090
EXPOSE 8080 9090
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 \
    CMD ["./Gateway", "health"]
ENTRYPOINT ["./Gateway"]
