//! For development: a throwaway PostgreSQL and a scripted SMTP server.
