/** The certificate authorities of the machine, and who trusts them. */

import { ok, rejects, strictEqual } from "node:assert/strict";
import {
  caCertsOf,
  readAuthorities,
  trustingClient,
} from "../../src/system/authorities.ts";
import { latestRelease } from "../../src/release/upgrade.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import {
  hasOpenssl,
  makeCertificates,
  type TestCertificates,
} from "../fixtures/test_certificates.ts";

const DAMAGED =
  "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";

/** Whether a TLS server with the test's certificate can be reached. */
async function isTrusted(
  port: number,
  caCerts: readonly string[],
): Promise<boolean> {
  const stream = await Deno.connect({ hostname: "127.0.0.1", port });
  const secured = await Deno.startTls(stream, {
    hostname: "localhost",
    caCerts: [...caCerts],
  });
  try {
    await secured.handshake();
    return true;
  } catch {
    return false;
  } finally {
    secured.close();
  }
}

function releaseServer({ cert, key }: TestCertificates): Deno.HttpServer<
  Deno.NetAddr
> {
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} },
    () =>
      new Response(null, {
        status: 302,
        headers: { location: "https://localhost/releases/tag/v1.2.3" },
      }),
  );
}

Deno.test({
  name: "a company's authority is trusted, whichever way it is named",
  ignore: !hasOpenssl(),
  fn: async () => {
    const certificates = await makeCertificates();
    await using folder = new TempFolder();
    const file = folder.join("company.pem");
    await Deno.writeTextFile(file, `# Our own\n${certificates.caCert}`);
    const server = releaseServer(certificates);
    const { port } = server.addr;
    const ways = [
      readAuthorities({ NODE_EXTRA_CA_CERTS: file }, "linux", []),
      readAuthorities({ SSL_CERT_FILE: file }, "darwin", []),
      readAuthorities({}, "linux", [folder.join("absent"), file]),
    ];
    try {
      strictEqual(await isTrusted(port, []), false);
      for (const authorities of ways) {
        strictEqual(authorities.sources[0]?.trouble, null);
        ok(await isTrusted(port, caCertsOf(authorities)));
        using client = trustingClient(authorities);
        const url = `https://localhost:${port}/releases`;
        const release = await latestRelease(url, undefined, client);
        strictEqual(release.version, "1.2.3");
        await rejects(latestRelease(url), /cannot be reached/);
      }
    } finally {
      await server.shutdown();
    }
  },
});

Deno.test({
  name: "a damaged certificate or file does not affect other authorities",
  ignore: !hasOpenssl(),
  fn: async () => {
    const { caCert } = await makeCertificates();
    await using folder = new TempFolder();
    const mixed = folder.join("mixed.pem");
    await Deno.writeTextFile(mixed, DAMAGED + caCert + caCert);
    const empty = folder.join("empty.pem");
    await Deno.writeTextFile(empty, "nothing");
    const authorities = readAuthorities(
      {
        NODE_EXTRA_CA_CERTS: mixed,
        SSL_CERT_FILE: empty,
      },
      "linux",
      [folder.path],
    );
    strictEqual(authorities.pem.match(/BEGIN/g)?.length, 1);
    const [first, second, ...others] = authorities.sources;
    strictEqual(first?.trouble, "1 of its certificates are damaged");
    strictEqual(second?.trouble, "it holds no certificate in PEM");
    strictEqual(others.length, 0);
    using _client = trustingClient(authorities);
    const missing = readAuthorities(
      { SSL_CERT_FILE: folder.join("no") },
      "linux",
      [],
    );
    strictEqual(missing.pem, "");
    strictEqual(missing.sources[0]?.trouble, "it is not a regular file");
  },
});
