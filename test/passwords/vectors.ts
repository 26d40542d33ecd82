// Hashes that other systems made themselves, and how each was got. PASSWORD is the password where none is named.

export const PASSWORD = 'Grüße an 1 Möwe';

export type Vector = { from: string; stored: string; password?: string };

export const VECTORS: readonly Vector[] = [
  // python3-passlib 1.7.4 of Debian 12: passlib.hash.<name>.using(rounds=…).hash(PASSWORD)
  { from: 'passlib bcrypt 2a', stored: '$2a$05$E8eXs037bEWVUB4zaigFb.xAkHQrYnYSjwjXbPN5mpWlf9/v176wy' },
  { from: 'passlib bcrypt 2b', stored: '$2b$05$BnxsUxgoLEf7GsOhs8DK5.R.62bNdCai4JMM8BBDwBiHxKPzHODIu' },
  { from: 'passlib pbkdf2 sha1', stored: '$pbkdf2$2000$997be48xJsRYa.0dQ8hZyw$W37eKNiLxWPtHpqQAFO2h3fuyPA' },
  {
    from: 'passlib pbkdf2 sha256',
    stored: '$pbkdf2-sha256$2000$IITwnvP.n3PO2bu3tlaqlQ$SWBtF1YzgjI0uACuHs/R3e.p6kfSs.r.tuf9Pg9h8xk',
  },
  {
    from: 'passlib pbkdf2 sha512',
    stored:
      '$pbkdf2-sha512$2000$2vsfQwiBcK61Vgqh1Drn3A$5NNWiGHY.TTFXGLjcK9erEREJPV9XYO6aKU.dc8vea8djxyNfddEkk.b.KWoiw8z2n4HDYG.ltFkpAaICrAzDg',
  },
  {
    from: 'passlib scrypt',
    stored: '$scrypt$ln=10,r=8,p=1$gnAO4dz73zvHeE8pJcQ4xw$F+SKbDrA4bWLQOK8CUNaS4qlcPieh4euZzZCaqx2bgY',
  },
  { from: 'passlib phpass', stored: '$P$6DXrRTXN00TKSDnXp2JgbXr4150AP4.' },
  { from: 'passlib phpass of phpBB', stored: '$H$6tw38OFb3y1jjq1bqyhdFvAgN60YGk.' },
  { from: 'passlib SSHA', stored: '{SSHA}smknNveHQ1xWDeKCrsKpGD3QctcJQWit' },
  { from: 'passlib SSHA256', stored: '{SSHA256}2LepchqQkPaoCs3VOeXjdA7hcSkug1098RPNQyH+jyclhHAuhfCe0w==' },
  {
    from: 'passlib SSHA512',
    stored: '{SSHA512}E9Ta0+B3hXLSrLZUyjLEkxJD06YeQLFVbDt48pv3ykTYtIU7TgJuZWANQicUIs0L0y5rVmAQMB10wKqdAUcK+cTYm/Me45wT',
  },
  { from: 'passlib MD5 of LDAP', stored: '{MD5}h3B96Uitz28G1rlWjmSP8w==' },
  {
    from: 'passlib argon2i',
    stored: '$argon2i$v=19$m=1024,t=2,p=2$qTWGkHIOgXCulZISwpgzxg$vgHY70Dn0AItfosk0MZjRg',
  },
  {
    from: 'passlib argon2d',
    stored: '$argon2d$v=19$m=1024,t=2,p=8$/z/H2HvPOYeQMqYUovR+Tw$hG+zQzOEFclOVA7hmf5Vcg',
  },
  {
    from: 'passlib argon2id',
    stored: '$argon2id$v=19$m=1024,t=2,p=8$Tmktxbj3Pse4N+Y8x5iTMg$mRNQP5Vsgp425udF1tMP2A',
  },
  // slapd 2.5.13 of Debian 12: slappasswd -h '{SSHA}' -s PASSWORD
  { from: 'slappasswd SSHA', stored: '{SSHA}WsrqNmrFdxeJFxr19vTxBFNVy9pEYO7b' },
  { from: 'slappasswd SMD5', stored: '{SMD5}JFpQlrG4kX9QshwqFggSlfu3gM0=' },
  // apache2-utils 2.4.68: htpasswd -nbB -C 5 u PASSWORD; htpasswd -nbs u PASSWORD
  { from: 'htpasswd bcrypt 2y', stored: '$2y$05$2Gua6H.cndACX5XUJyHvQOg0mduUMUmMthg7agGCmGjreXwR8u626' },
  { from: 'htpasswd SHA', stored: '{SHA}TEQR6WOptA/VEeIaNvaEA00tXDc=' },
  // PHP 8.2.32: password_hash(PASSWORD, PASSWORD_BCRYPT, ['cost' => 5]) and PASSWORD_ARGON2ID
  { from: 'PHP password_hash bcrypt', stored: '$2y$05$wwSpXu0/MJvuUNwAwWh6z.9/ERkt0lMULwFBo5BeAjCon/JC.bNiq' },
  {
    from: 'PHP password_hash argon2id',
    stored: '$argon2id$v=19$m=1024,t=2,p=1$ZW1uZXdURnY0amEuMmJycQ$hP0XBd7HVIodvMuUwlphpcw/WxEtHJZhRAMoRgLWiM8',
  },
  // The class PasswordHash(8, true) of WordPress 6.1.9 (Debian's package) under PHP 8.2
  { from: 'WordPress 6.1 phpass', stored: '$P$Bd93g39YvFnszGRhgDoCztxaSxuxJS.' },
  // WordPress 6.8, wp_hash_password, its two calls in PHP 8.2: '$wp' . password_hash(base64_encode(
  // hash_hmac('sha384', trim($password), 'wp-sha384', true)), PASSWORD_BCRYPT, ['cost' => 5])
  { from: 'WordPress 6.8 in PHP', stored: '$wp$2y$05$MwJNAPXM0.DFPXN1lcc/9OhjivQC17u4ALzmnArzdzIrZQhOfJeqe' },
  // Tests of the public gem ruby-drupal-hash; value of zitadel/passwap made with passlib's Drupal 7
  {
    from: 'ruby-drupal-hash',
    password: 'password1234',
    stored: '$S$DeIZ1KTE.VzRvudZ5.xgOakipuMFrVyPmRdWTjAdYieWj27NMglI',
  },
  // make_password(PASSWORD, hasher=…) of Django 3.2.25, and scrypt of Django 5.2
  {
    from: 'Django pbkdf2_sha256',
    stored: 'pbkdf2_sha256$260000$RT1YSsB8DIdsFzEGi0BMwx$n6wB9ZFZt1s/oavijf4MLQ5u7g18gI/aBNbKuuFz72s=',
  },
  {
    from: 'Django pbkdf2_sha1',
    stored: 'pbkdf2_sha1$260000$IvQT30wHhJLGAMk7sSB8ll$+5U3rTWt7ENPJ2B7aB/MLk15KBY=',
  },
  {
    from: 'Django bcrypt_sha256',
    stored: 'bcrypt_sha256$$2b$12$Zjh0nB/HWHbI4h3CQxwMFO7iQXcczPUam//QIcq0oYzAUD6fVPBoi',
  },
  {
    from: 'Django argon2',
    stored: 'argon2$argon2id$v=19$m=102400,t=2,p=8$UzJNUmtGZEcwMGdIZ2N4TTliTHozNQ$AgHiduI5ZsoU0TujHs63sg',
  },
  {
    from: 'Django scrypt',
    stored:
      'scrypt$16384$b0oWk3IHHGgUBf8o0SsVSF$8$5$wpJsww07Fql2sM/zUUtMKU/FOv5YCRcH2KSXCf4cd41iMAIAyZ0uIG2tp0718wBXVoVK1GapgHU6tA1FCtplcw==',
  },
  // generate_password_hash(PASSWORD, method=…) of Werkzeug 2.2.2 and 3.1.9
  {
    from: 'Werkzeug pbkdf2',
    stored: 'pbkdf2:sha256:2000$lnRzi2DJyQjIDFVL$8fbf2b175a3825b438fee4564942018661245515203dbe6425db976441614b91',
  },
  {
    from: 'Werkzeug scrypt',
    stored:
      'scrypt:32768:8:1$hl8lUuP1AY9pulmJ$1fd4fb4e65966b5e0c1f5fcb14004d283765968ae51cf2f48ff9a83b14fddbffb41b96c377b5fe2ca7d5a16ffe72cb28924f6f9ce694f122f8feb3ab4df80777',
  },
  // Tests of ASP.NET Core Identity's PasswordHasher, version 3
  {
    from: 'ASP.NET Identity v3 SHA512',
    password: 'my password',
    stored:
      'AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi9IWyUxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw==',
  },
  {
    from: 'ASP.NET Identity v3 SHA1',
    password: 'my password',
    stored: 'AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M',
  },
  {
    from: 'ASP.NET Identity v3 SHA256',
    password: 'my password',
    stored: 'AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc3oQZ8efcW+jQ=',
  },
  // Laid out as ASP.NET Identity 2 documents it, by Python: salt = bytes(range(16, 32)); b64encode(b'\0' + salt +
  // hashlib.pbkdf2_hmac('sha1', PASSWORD.encode(), salt, 1000, 32))
  {
    from: 'Python, laid out as ASP.NET Identity v2',
    stored: 'ABAREhMUFRYXGBkaGxwdHh8XRZHMd1Y0kyMr3CBweUi/NbbkjlCEE3aBXtVRF2vfVg==',
  },
  // A realm that solo.io publishes for its workshops, Keycloak's 27,500 rounds, joined into the stored form
  {
    from: 'Keycloak pbkdf2-sha256',
    password: 'password',
    stored: '$pbkdf2-sha256$i=27500,l=32$P5rtFkGtPfoaryJ6PizUJw$JsfNbCOIdZUbyBJ+BT+VoGI91Ec2rWLOvkLPDaX8e9k',
  },
];
