//! Who starts, stops and replaces actors: OTP's rules, decided in `domain::supervision`, carried out here.
