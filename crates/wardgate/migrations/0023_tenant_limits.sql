-- Limits of the tenant's own as a JSON object of numbers; what is not in it is as the configuration says.
ALTER TABLE tenants ADD COLUMN rate_limits TEXT;
