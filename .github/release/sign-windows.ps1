# Signs the executable at $Program with the certificate that the workflow's
# secrets hold: WINDOWS_CERTIFICATE (a .pfx in base64) and its password. Runs on
# Windows alone, with the signtool of its SDK.
param([Parameter(Mandatory)][string] $Program)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

$kits = Join-Path ${Env:ProgramFiles(x86)} 'Windows Kits\10\bin\*\x64\signtool.exe'
$signtool = Get-Item $kits | Sort-Object { [version] $_.Directory.Parent.Name } |
    Select-Object -Last 1
if (-not $signtool) { throw 'There is no signtool here' }

$file = Join-Path $Env:RUNNER_TEMP "$([guid]::NewGuid()).pfx"
$certificate = $null
try {
    [IO.File]::WriteAllBytes($file, [Convert]::FromBase64String($Env:WINDOWS_CERTIFICATE))
    # By the store, for a password in an argument can be read by others.
    $password = ConvertTo-SecureString $Env:WINDOWS_CERTIFICATE_PASSWORD -AsPlainText -Force
    $certificate = Import-PfxCertificate -FilePath $file -Password $password `
        -CertStoreLocation Cert:\CurrentUser\My |
        Where-Object { $_.HasPrivateKey } | Select-Object -First 1
    if (-not $certificate) { throw 'The certificate has no private key' }
    # With a time that others vouch for it holds after the certificate has ended.
    & $signtool sign /fd SHA256 /sha1 $certificate.Thumbprint `
        /tr http://timestamp.digicert.com /td SHA256 /d tc $Program
    if ($LASTEXITCODE -ne 0) { throw "signtool ended with $LASTEXITCODE" }
    & $signtool verify /pa $Program
    if ($LASTEXITCODE -ne 0) { throw "The signature does not hold: $LASTEXITCODE" }
}
finally {
    if ($certificate) { Remove-Item "Cert:\CurrentUser\My\$($certificate.Thumbprint)" -DeleteKey }
    Remove-Item $file -Force -ErrorAction SilentlyContinue
}
