-- The colour of buttons and links on the tenant's pages, as #rrggbb.
ALTER TABLE tenants ADD COLUMN accent_color TEXT;
