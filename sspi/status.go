package sspi

import (
	"fmt"

	"github.com/go-negotiate/negotiate/gss"
)

// status is a SECURITY_STATUS: what each function of SSPI returns.
type status uint32

// Statuses that the package acts upon. The others are in statuses only.
const (
	secOK                 status = 0
	secContinueNeeded     status = 0x00090312
	secCompleteNeeded     status = 0x00090313
	secCompleteAndCont    status = 0x00090314
	secUnsupported        status = 0x80090302
	secInternalError      status = 0x80090304
	secPackageNotFound    status = 0x80090305
	secInvalidToken       status = 0x80090308
	secLogonDenied        status = 0x8009030c
	secNoCredentials      status = 0x8009030e
	secMessageAltered     status = 0x8009030f
	secOutOfSequence      status = 0x80090310
	secWrongPrincipal     status = 0x80090322
	secTimeSkew           status = 0x80090324
	secBadBindings        status = 0x80090346
	secTargetUnknown      status = 0x80090303
	secContextExpired     status = 0x80090317
	secSmallBuffer        status = 0x80090321
	secInsufficientMemory status = 0x80090300
)

// statusInfo is what a status means.
type statusInfo struct {
	name  string
	major gss.Major
	text  string // what happened and what to do
}

// statuses are the failures of the Negotiate, Kerberos and NTLM packages, by the
// numbers of winerror.h.
var statuses = map[status]statusInfo{
	secInsufficientMemory: {"SEC_E_INSUFFICIENT_MEMORY", gss.ErrFailure, "Windows has not enough memory"},
	0x80090301:            {"SEC_E_INVALID_HANDLE", gss.ErrNoContext, "the handle is not valid"},
	secUnsupported:        {"SEC_E_UNSUPPORTED_FUNCTION", gss.ErrUnavailable, "the security package does not do this"},
	secTargetUnknown:      {"SEC_E_TARGET_UNKNOWN", gss.ErrFailure, "the domain has no account with the server's name; check the URL's host, or register the name with setspn"},
	secInternalError:      {"SEC_E_INTERNAL_ERROR", gss.ErrFailure, "the Local Security Authority cannot be reached"},
	secPackageNotFound:    {"SEC_E_SECPKG_NOT_FOUND", gss.ErrBadMech, "Windows does not have this security package"},
	0x80090306:            {"SEC_E_NOT_OWNER", gss.ErrUnauthorized, "the caller does not own the credential"},
	0x80090307:            {"SEC_E_CANNOT_INSTALL", gss.ErrFailure, "the security package cannot be started"},
	secInvalidToken:       {"SEC_E_INVALID_TOKEN", gss.ErrDefectiveToken, "the token cannot be read"},
	0x80090309:            {"SEC_E_CANNOT_PACK", gss.ErrFailure, "the logon session cannot be handed over"},
	0x8009030a:            {"SEC_E_QOP_NOT_SUPPORTED", gss.ErrBadQOP, "the security package does not protect messages in this way"},
	0x8009030b:            {"SEC_E_NO_IMPERSONATION", gss.ErrUnavailable, "the context cannot be impersonated"},
	secLogonDenied:        {"SEC_E_LOGON_DENIED", gss.ErrNoCred, "the logon was refused; check the user's name and password, and on a server the account that it runs as"},
	0x8009030d:            {"SEC_E_UNKNOWN_CREDENTIALS", gss.ErrNoCred, "Windows does not know these credentials"},
	secNoCredentials:      {"SEC_E_NO_CREDENTIALS", gss.ErrNoCred, "there is no credential; log on to the domain, or name a user and a password"},
	secMessageAltered:     {"SEC_E_MESSAGE_ALTERED", gss.ErrBadMIC, "the message was altered"},
	secOutOfSequence:      {"SEC_E_OUT_OF_SEQUENCE", gss.ErrUnseqToken | gss.ErrDuplicateToken, "the message is out of sequence or was sent before"},
	0x80090311:            {"SEC_E_NO_AUTHENTICATING_AUTHORITY", gss.ErrFailure, "no domain controller can be reached; check the network and the domain's name"},
	secContextExpired:     {"SEC_E_CONTEXT_EXPIRED", gss.ErrContextExpired, "the context has expired"},
	0x80090318:            {"SEC_E_INCOMPLETE_MESSAGE", gss.ErrDefectiveToken, "the message is not complete"},
	0x80090320:            {"SEC_E_INCOMPLETE_CREDENTIALS", gss.ErrDefectiveCredential, "the credential is not complete"},
	secSmallBuffer:        {"SEC_E_BUFFER_TOO_SMALL", gss.ErrFailure, "a buffer is too small"},
	secWrongPrincipal:     {"SEC_E_WRONG_PRINCIPAL", gss.ErrFailure, "the server runs as another account than its name belongs to; check with setspn -Q which account has the name"},
	secTimeSkew:           {"SEC_E_TIME_SKEW", gss.ErrFailure, "the clocks of this machine and of the server or the domain controller differ too much; set them"},
	0x80090325:            {"SEC_E_UNTRUSTED_ROOT", gss.ErrDefectiveCredential, "a certificate comes from an authority that is not trusted"},
	0x80090326:            {"SEC_E_ILLEGAL_MESSAGE", gss.ErrDefectiveToken, "the message is not expected here"},
	0x80090328:            {"SEC_E_CERT_EXPIRED", gss.ErrCredentialsExpired, "a certificate has expired"},
	0x80090329:            {"SEC_E_ENCRYPT_FAILURE", gss.ErrFailure, "the message cannot be encrypted"},
	0x80090330:            {"SEC_E_DECRYPT_FAILURE", gss.ErrBadMIC, "the message cannot be decrypted"},
	0x80090331:            {"SEC_E_ALGORITHM_MISMATCH", gss.ErrFailure, "both sides have no algorithm in common"},
	0x80090332:            {"SEC_E_SECURITY_QOS_FAILED", gss.ErrUnavailable, "the context does not have what was asked for"},
	0x80090333:            {"SEC_E_UNFINISHED_CONTEXT_DELETED", gss.ErrNoContext, "the context was deleted before it was complete"},
	0x80090334:            {"SEC_E_NO_TGT_REPLY", gss.ErrFailure, "the server has sent no ticket of its own, which user-to-user wants"},
	0x80090335:            {"SEC_E_NO_IP_ADDRESSES", gss.ErrFailure, "this machine has no address"},
	0x80090336:            {"SEC_E_WRONG_CREDENTIAL_HANDLE", gss.ErrDefectiveCredential, "the credential is not the one that the context was begun with"},
	0x80090337:            {"SEC_E_CRYPTO_SYSTEM_INVALID", gss.ErrFailure, "an encryption type is not available"},
	0x80090338:            {"SEC_E_MAX_REFERRALS_EXCEEDED", gss.ErrFailure, "domain controllers refer to each other without end"},
	0x80090339:            {"SEC_E_MUST_BE_KDC", gss.ErrFailure, "only a domain controller can do this"},
	0x8009033a:            {"SEC_E_STRONG_CRYPTO_NOT_SUPPORTED", gss.ErrFailure, "an encryption type is not supported here"},
	0x8009033b:            {"SEC_E_TOO_MANY_PRINCIPALS", gss.ErrDefectiveToken, "the message names too many principals"},
	0x8009033c:            {"SEC_E_NO_PA_DATA", gss.ErrFailure, "the domain controller has sent no pre-authentication data"},
	0x8009033d:            {"SEC_E_PKINIT_NAME_MISMATCH", gss.ErrDefectiveCredential, "the certificate's name is not the user's"},
	0x8009033e:            {"SEC_E_SMARTCARD_LOGON_REQUIRED", gss.ErrNoCred, "the account wants a smart card"},
	0x8009033f:            {"SEC_E_SHUTDOWN_IN_PROGRESS", gss.ErrFailure, "Windows is shutting down"},
	0x80090340:            {"SEC_E_KDC_INVALID_REQUEST", gss.ErrFailure, "the domain controller has refused the request as invalid"},
	0x80090341:            {"SEC_E_KDC_UNABLE_TO_REFER", gss.ErrFailure, "the domain controller knows no domain to refer to"},
	0x80090342:            {"SEC_E_KDC_UNKNOWN_ETYPE", gss.ErrFailure, "the domain controller does not support the encryption type; the server's account may lack AES keys"},
	0x80090343:            {"SEC_E_UNSUPPORTED_PREAUTH", gss.ErrFailure, "the domain controller wants another kind of pre-authentication"},
	0x80090345:            {"SEC_E_DELEGATION_REQUIRED", gss.ErrUnauthorized, "the server needs delegation, and its account is not trusted for it"},
	secBadBindings:        {"SEC_E_BAD_BINDINGS", gss.ErrBadBindings, "the channel bindings are not those of this connection"},
	0x80090347:            {"SEC_E_MULTIPLE_ACCOUNTS", gss.ErrFailure, "several accounts have the server's name; find them with setspn -X"},
	0x80090348:            {"SEC_E_NO_KERB_KEY", gss.ErrNoCred, "the server's account has no key"},
	0x80090349:            {"SEC_E_CERT_WRONG_USAGE", gss.ErrDefectiveCredential, "a certificate is not meant for this use"},
	0x80090350:            {"SEC_E_DOWNGRADE_DETECTED", gss.ErrFailure, "Windows takes this for an attempt to weaken the authentication; check that a domain controller can be reached"},
	0x80090351:            {"SEC_E_SMARTCARD_CERT_REVOKED", gss.ErrDefectiveCredential, "the smart card's certificate is revoked"},
	0x80090357:            {"SEC_E_CROSSREALM_DELEGATION_FAILURE", gss.ErrUnauthorized, "credentials are not delegated to this domain"},
	0x8009035d:            {"SEC_E_INVALID_PARAMETER", gss.ErrFailure, "a parameter is not valid"},
	0x8009035e:            {"SEC_E_DELEGATION_POLICY", gss.ErrUnauthorized, "policy does not allow this delegation"},
	0x8009035f:            {"SEC_E_POLICY_NLTM_ONLY", gss.ErrUnauthorized, "policy allows NTLM only, which is not asked for"},
	0x80090361:            {"SEC_E_NO_CONTEXT", gss.ErrNoContext, "there is no context"},
	0x80090363:            {"SEC_E_MUTUAL_AUTH_FAILED", gss.ErrFailure, "the server has not proved its identity"},
	0x80090365:            {"SEC_E_ONLY_HTTPS_ALLOWED", gss.ErrUnauthorized, "policy allows this over HTTPS only"},
	0x80090369:            {"SEC_E_INVALID_UPN_NAME", gss.ErrInvalidName, "the user's name cannot be read; write alice@EXAMPLE.COM or DOMAIN\\alice"},
}

// info is what s means; statuses that are not in the table are plain failures.
func (s status) info() statusInfo {
	if info, ok := statuses[s]; ok {
		return info
	}
	return statusInfo{major: gss.ErrFailure, text: "an unexpected status"}
}

// Error is the name of the status and what it means. A status is the cause
// within a *gss.Error.
func (s status) Error() string {
	info := s.info()
	if info.name == "" {
		return fmt.Sprintf("SSPI status %#08x: %s", uint32(s), info.text)
	}
	return fmt.Sprintf("%s: %s", info.name, info.text)
}

// failed reports whether s is an error.
func (s status) failed() bool { return s&0x80000000 != 0 }

// failure makes an error of a status.
func failure(op string, mech gss.OID, s status) *gss.Error {
	return &gss.Error{Major: s.info().major, Minor: uint32(s), Mech: mech, Op: op, Err: s}
}

// refusal is an error of this package's own.
func refusal(major gss.Major, op string, mech gss.OID, format string, args ...any) *gss.Error {
	return &gss.Error{Major: major, Mech: mech, Op: op, Err: fmt.Errorf(format, args...)}
}
