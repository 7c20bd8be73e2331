/** Splits a block of names at white space. */
const names = (text: string): string[] => text.trim().split(/\s+/);

/**
 * Terms that make a key secret wherever they stand in it as whole words, written without separators: credentials, and
 * the
 * numbers that identify a person or a bank account.
 */
export const deniedTerms: ReadonlySet<string> = new Set(
  names(`
  password passwords passwd passwds passphrase passphrases passcode passcodes pwd pgpassword mysqlpwd
  secret secrets token credential credentials creds apikey apikeys accesskey accesskeys accesskeyid privatekey privatekeys
  secretkey secretkeys signingkey signingkeys encryptionkey encryptionkeys masterkey masterkeys sharedkey accountkey servicekey sshkey
  deploykey licensekey accesstokens refreshtokens authtokens idtokens bearertokens sessiontokens apitokens
  authorization authentication authheader basicauth bearer jwt jwts cookie cookies setcookie connectsid sessid phpsessid jsessionid
  csrf xsrf otp totp mfacode otpcode verificationcode onetimecode onetimepassword onetimepasscode pin pincode cvv cvc cvv2 cvc2 securitycode
  connectionstring connectionuri connectionurl databaseurl redisurl mongourl mongodburi postgresurl mysqlurl amqpurl webhookurl dsn
  signedurl presignedurl amzsignature mnemonic seedphrase recoverycode recoverycodes recoveryphrase backupcode backupcodes
  rut dni nif nie cpf cnpj curp ssn socialsecurity socialsecuritynumber taxid passport passportnumber nationalid
  iban bic accountnumber routingnumber sortcode cardnumber creditcard debitcard pan
  clave claves contrasena contrasenas senha passwort kennwort motdepasse
`),
);

/** Names that are secret only when they are the whole key. */
export const deniedWhole: ReadonlySet<string> = new Set(
  names("auth pass sig sid xauth xamzsignature xgoogsignature sharedaccesssignature"),
);

/** Names of secrets that are words of their own: `the pin was bent`, `sid=abc`. */
export const weakNames: ReadonlySet<string> = new Set(names("pin pan sid sig"));

/** Allowed keys whose values are words of a small set. A value that mixes letters and digits as keys do is none. */
export const wordKeys: ReadonlySet<string> = new Set(
  names("status state phase kind type level severity mode decision action verdict outcome environment env"),
);

/** Endings of one unbroken word that end nothing but a secret's name. */
export const deniedSuffixes: readonly string[] = [
  "password",
  "passwd",
  "passphrase",
  "secret",
  "apikey",
  "token",
  "cookie",
  "privatekey",
];

/** Names whose value in text goes on to the end of the line. */
export const lineKeys: ReadonlySet<string> = new Set(
  names("authorization authheader cookie cookies setcookie passphrase mnemonic seedphrase recoveryphrase"),
);

/**
 * Keys whose values pass with their text scrubbed: what operating the system needs, and nothing a person wrote except
 * `message`. Written without separators; matched against the whole key.
 */
export const allowedByDefault: ReadonlySet<string> = new Set(
  names(`
  at ts time timestamp date createdat updatedat startedat endedat finishedat expiresat enqueuedat deliveredat scheduledfor firstseen lastseen
  ms durationms elapsedms delayms timeoutms waitms leasems latencyms ttlms retryafterms
  attempt attempts maxattempts retries retry retryable count total size length bytes index sequence position offset limit
  version versions revision generation fence epoch status state phase kind type level severity ok
  code errorcode errno syscall statuscode httpstatus exitcode sqlstate message problem problems
  error errors err cause causes reason reasons decision action actions matched
  method protocol host hostname port url uri route path
  component service workflow system operation event events task job queue mailbox topic channel stream store adapter backend
  environment env region zone node worker workerid pid process thread runtime
  tenant tenantid org orgid organization organizationid project projectid
  session sessionid conversation conversationid threadkey threadid context contextid contextkey
  execution executionid item itemid step stepid part partid actionname tool toolname toolcallid callid approval approvalid
  trigger triggerid reaction run runid plan planid batch batchid lease leaseid lock lockkey holder messageid deliveryid envelopeid jobid
  trace traceid spanid parentspanid traceparent requestid correlationid idempotencykey fingerprint signature frames digest hash
  model provider reactor definition definitionname finishreason inputtokens outputtokens totaltokens reasoningtokens cachedtokens cost
  flag flagkey flagversion variant mode bucket weight percent rule rules rolloutid incidentid evidenceid runbook
  table column entity entities field source target phase gate gates verdict
  peer range neededby where what details id ids
`),
);
