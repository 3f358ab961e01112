//! Hashes that other programs wrote, of invented passwords.

const SHORT: &str = "corréct hørse 電池";
/// Over 72 bytes, so that a bcrypt which cuts would take any other ending.
pub(super) const LONG: &str =
    "a long passphrase that goes on and on until bcrypt would have stopped reading it, twice";

/// Written by passlib 1.7.4, Django and argon2-cffi, with small costs; the last column is what we call the scheme.
pub(super) const FOREIGN: &[(&str, &str, &str)] = &[
    (SHORT, "$2a$04$KDhzhcGw8sn1ZjWdIQBRwO0CvfKv6n6nxyn2LizfZF25hD9eq3SOa", "bcrypt:4"),
    (SHORT, "$2b$04$wBBsgoKEvkT9geGripLew.fgkmOrGFhuMe.dTOmdvWvOQoSwZOXcG", "bcrypt:4"),
    (SHORT, "$2y$04$bbNVi.EcHXKFcQGXEBSUQuX5N5JsEk2lXiVT4mDaqE.a75HKCQIx2", "bcrypt:4"),
    ("", "$2b$04$YuMSXjsaUK9TkN6UCeWrbOspNqgwLq0JMssCWVtSu/BbvgK2Nabw6", "bcrypt:4"),
    (SHORT, "bcrypt$$2b$04$PmyGxJxeflf3gaZPSJ2vVejwLdfORWH/3PXyzJJg0KwNDaQnv6/BS", "bcrypt:4"),
    (
        SHORT,
        "bcrypt_sha256$$2b$04$uaNPIRExhyZKvzJBVgdELOif7MpuC4/g09WV7uYu2WlWrrx0mduti",
        "bcrypt-sha256-hex:4",
    ),
    (
        LONG,
        "bcrypt_sha256$$2b$04$PYDobeSOaGP.LXEFHvDJYO1AXpmTw8sHJcDdLyXEbUScvQRSMW.P2",
        "bcrypt-sha256-hex:4",
    ),
    (
        SHORT,
        "$bcrypt-sha256$v=2,t=2b,r=4$PK5icLg./hcjyDVEA39Pku$8IpT0zyL7sZeHBUthUkAOyJagEkYvte",
        "bcrypt-sha256:4",
    ),
    (
        LONG,
        "$bcrypt-sha256$v=2,t=2b,r=4$LAGbaSj5KfbYD0YWXwJkge$ODdPQS5zHnrrbdVe3.XZZy9B8NRAikW",
        "bcrypt-sha256:4",
    ),
    (
        "nul\0after",
        "$bcrypt-sha256$v=2,t=2b,r=4$.A/9NXKSR6eaQwMPvHf4tu$Gg3RC4AkDk.KIp1kOAVuSoR7d92Vfuu",
        "bcrypt-sha256:4",
    ),
    (
        SHORT,
        "$bcrypt-sha256$2b,5$qaoCy79oAt.SRHv8ItfbMO$Bft7FUmOVT/1lKp1lreqmGJo3OAjR6O",
        "bcrypt-sha256-v1:5",
    ),
    (
        LONG,
        "$bcrypt-sha256$2a,5$H93/kYknDiuRn44FLlkwIu$.u4KKqltDkCP/gwMgUGjl/.UiyJc.b6",
        "bcrypt-sha256-v1:5",
    ),
    (
        SHORT,
        "$argon2i$v=19$m=256,t=3,p=2$T2kNwZjTGgOg1Hrv/b+XMg$VRJ+6VBa98mr8yrZ6uYqqMGRQmPEyt1sieUqH0GQ2P8",
        "argon2i:m=256,t=3,p=2",
    ),
    (
        LONG,
        "$argon2id$v=19$m=512,t=2,p=4$RSjF+P+fUypFSEmJsXaO8Q$dTKzW7Ab+s9Tqq6eHvPlOaSL57R5g3YrL1Y9pazhUF8",
        "argon2id:m=512,t=2,p=4",
    ),
    (
        SHORT,
        "argon2$argon2id$v=19$m=512,t=2,p=8$dVh3ODFMa1E$wmis3qoemLDchq5bALZM7AUNFgUe1dKQJDr+Fvy1XvU",
        "argon2id:m=512,t=2,p=8",
    ),
    (
        SHORT,
        "$argon2i$v=16$m=256,t=2,p=1$c29tZW9sZHNhbHQ$Ti9G61zvGb47CI84yS0WMggIoNHDwbdW",
        "argon2i-v16:m=256,t=2,p=1",
    ),
    // The same without its version, as the first writers left it out.
    (
        SHORT,
        "$argon2i$m=256,t=2,p=1$c29tZW9sZHNhbHQ$Ti9G61zvGb47CI84yS0WMggIoNHDwbdW",
        "argon2i-v16:m=256,t=2,p=1",
    ),
    (
        SHORT,
        "$pbkdf2-sha256$1200$REhJ6R3D2BvjHIMwRiglBA$fVptrogkjMw9mwH0.FNVGkDM8ijk1VvdyJNn6G7Lodo",
        "pbkdf2-sha256:1200",
    ),
    (
        LONG,
        "$pbkdf2-sha512$900$Xav13tv7/1/LWYuR8v7/Xw$H/D6yh5QGAqStW37WdFZEALvgGpKaVV7bBltz9nwyGovESt0E68zWXODn6wDlvXlfV.jn8N7W0ukutTxGi8VTQ",
        "pbkdf2-sha512:900",
    ),
    (SHORT, "pbkdf2_sha256$1500$zK3mQ9$RtpV3Hd8biD/r+4mM1RzKKpdt+iP+tVXm6gMZuuFXgI=", "pbkdf2-sha256:1500"),
    (
        SHORT,
        "pbkdf2_sha256$1000000$qGlJKud0Ygc2CMHKwSOtcG$nTEIZqrj2jls7RY/Cvl27VcdjlSBGjsQgDd0wsV02QA=",
        "pbkdf2-sha256:1000000",
    ),
    (
        SHORT,
        "$scrypt$ln=8,r=8,p=2$q3XOea+VUiqF0Lo3hnDO+Q$3qgho9OpJT+bh0odajLr0cVgeVhhPEo0xjuK2OE2hLo",
        "scrypt:ln=8,r=8,p=2",
    ),
    (
        LONG,
        "scrypt$256$N4vYqLw2$8$3$nm8nazUyesrBJWfdSz81M1aBq9APihQtVghmBHYdu2IQbUo4O02WGV/gWaXDYORyr9a6m/WXlCf2E72K/gFQ2A==",
        "scrypt:ln=8,r=8,p=3",
    ),
];
