# Installs tc from a GitHub release. Fails closed: without a list of checksums
# that is signed with a release key of tc it installs nothing. Windows itself
# cannot check an Ed25519 signature; an openssl can (Git for Windows has one).
# Without one the script says so, and compares the checksum alone.
#
#   $env:TC_REPOSITORY = "OWNER/tc"; ./install.ps1 [-DryRun]
#
# TC_REPOSITORY  where the releases are, for example someone/tc   (needed)
# TC_VERSION     the release, for example v0.3.0   (default: the latest)
# TC_PREFIX      folder for the program   (default: %LOCALAPPDATA%\Programs\tc)
[CmdletBinding()]
param([switch]$DryRun)

$ErrorActionPreference = "Stop"
Set-StrictMode -Version Latest
[Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12

# Ed25519 public keys, raw, base64: those of src/release/release_keys.ts.
$keys = @(
    "cd1XU+gcOv50Depf0f4rWtAqyJGx5UTz8qeILJl9bLM=",
    "SiohJ7KqO70WJ7JZmxp4UghqHmYG7XGXBfGXJkgePpM="
)
# A signature of "tc release key" and its key: whether openssl can check any.
$probeKey = "cd1XU+gcOv50Depf0f4rWtAqyJGx5UTz8qeILJl9bLM="
$probe = "D9dbLipB0Swiv/1gVNdSUWVdAfXmjNLykh1vvKwkO5q6WFC/tv/2ttbySS1/99eiYl7Bf5JacoBpOngwyq05CA=="

function Find-OpenSsl {
    $found = Get-Command openssl -ErrorAction SilentlyContinue
    if ($found) { return $found.Source }
    $git = Join-Path $env:ProgramFiles "Git\usr\bin\openssl.exe"
    if (Test-Path $git) { return $git }
    return $null
}

function Test-Signature($openssl, $key, $file, $signature) {
    $pem = Join-Path $work "key.pem"
    $lines = "-----BEGIN PUBLIC KEY-----", "MCowBQYDK2VwAyEA$key", "-----END PUBLIC KEY-----", ""
    [IO.File]::WriteAllText($pem, ($lines -join "`n"))
    $ErrorActionPreference = "Continue"
    & $openssl pkeyutl -verify -pubin -inkey $pem -rawin -in $file -sigfile $signature *> $null
    return $LASTEXITCODE -eq 0
}

if (-not $env:TC_REPOSITORY) { throw "Set TC_REPOSITORY, for example OWNER/tc" }
if (-not [Environment]::Is64BitOperatingSystem) { throw "There is no 32-bit build" }

$version = if ($env:TC_VERSION) { $env:TC_VERSION } else { "latest" }
$prefix = if ($env:TC_PREFIX) { $env:TC_PREFIX } else { Join-Path $env:LOCALAPPDATA "Programs\tc" }
$base = if ($version -eq "latest") {
    "https://github.com/$env:TC_REPOSITORY/releases/latest/download"
} else {
    "https://github.com/$env:TC_REPOSITORY/releases/download/$version"
}
$archive = "tc-x86_64-pc-windows-msvc.tar.gz"

if ($DryRun) {
    Write-Host "tc: would download $base/$archive and its checksum"
    Write-Host "tc: would write $prefix\tc.exe"
    return
}

$work = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid())
New-Item -ItemType Directory -Path $work | Out-Null
try {
    foreach ($name in $archive, "SHA256SUMS", "SHA256SUMS.sig") {
        Invoke-WebRequest -UseBasicParsing -Uri "$base/$name" -OutFile (Join-Path $work $name)
    }
    $openssl = Find-OpenSsl
    $canCheck = $false
    if ($openssl) {
        $probeFile = Join-Path $work "probe"
        [IO.File]::WriteAllText($probeFile, "tc release key`n")
        [IO.File]::WriteAllBytes("$probeFile.sig", [Convert]::FromBase64String($probe))
        $canCheck = Test-Signature $openssl $probeKey $probeFile "$probeFile.sig"
    }
    if ($canCheck) {
        $sums = Join-Path $work "SHA256SUMS"
        $isSigned = $false
        foreach ($key in $keys) {
            if (Test-Signature $openssl $key $sums "$sums.sig") { $isSigned = $true }
        }
        if (-not $isSigned) { throw "SHA256SUMS is not signed with a release key of tc" }
        $proof = "signed with a release key"
    } else {
        $proof = "NOT verified"
        Write-Host "tc: no openssl here can check the signature (Ed25519 needs OpenSSL 3):"
        Write-Host "tc:   only the checksum is compared, and that comes from the same place"
    }
    $line = Get-Content (Join-Path $work "SHA256SUMS") |
        Where-Object { ($_ -split "\s+\*?")[1] -eq $archive }
    if (-not $line) { throw "SHA256SUMS has no line for $archive" }
    $want = ($line -split "\s+")[0]
    $have = (Get-FileHash -Algorithm SHA256 (Join-Path $work $archive)).Hash
    if ($have -ne $want) { throw "Checksum of $archive is $have, expected $want" }

    & tar.exe -xzf (Join-Path $work $archive) -C $work "tc.exe"
    if ($LASTEXITCODE -ne 0) { throw "tar could not open $archive" }
    $said = & (Join-Path $work "tc.exe") --version
    if ($LASTEXITCODE -ne 0) { throw "The program does not start" }
    New-Item -ItemType Directory -Force -Path $prefix | Out-Null
    $target = Join-Path $prefix "tc.exe"
    # A running program cannot be overwritten, but it can be moved aside. What
    # was moved by an earlier installation may run still: it goes with a later one.
    Get-ChildItem -Path "$target.old*" -ErrorAction SilentlyContinue |
        Remove-Item -Force -ErrorAction SilentlyContinue
    $aside = "$target.old-$([Guid]::NewGuid())"
    if (Test-Path $target) { Move-Item $target $aside }
    try {
        Move-Item -Force (Join-Path $work "tc.exe") $target
    } catch {
        if (Test-Path $aside) { Move-Item $aside $target }
        throw "Cannot write $target. A program may have it open: try again. ($_)"
    }
    Write-Host "tc: installed $said in $prefix ($proof)"
    if (($env:PATH -split ";") -notcontains $prefix) {
        Write-Host "tc: add it to your PATH:"
        Write-Host "  [Environment]::SetEnvironmentVariable('PATH', `"$prefix;`" + [Environment]::GetEnvironmentVariable('PATH', 'User'), 'User')"
    }
} finally {
    Remove-Item -Recurse -Force $work
}
